//! A file as an answer.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::encoding::accepted;
use crate::files::{Find, INDEX, content_type};

/// Files under `/assets` have a hash of their bytes in their names: the same name is the same bytes for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// The page names those files, so it is asked for anew each time.
const ASK_AGAIN: &str = "no-cache";

/// What a collector that was built without pages says; also a page, since a person reads it.
const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Muster without pages</title>
<h1>This collector was built without its pages</h1>
<p>Everything else works: the API, agents, alerts, Grafana, and the command <code>muster</code>.</p>
<p>Who builds it: <code>cargo xtask web</code> makes the pages (it needs Node.js and npm), and a build after that has them.
<code>cargo xtask dist</code>, <code>demo</code> and <code>test</code> do so by themselves.</p>
</html>
";

/// The page, whichever of its paths was asked for.
pub(crate) fn page(find: &Find, headers: &HeaderMap) -> Response {
    let found = file(find, INDEX, headers, ASK_AGAIN);
    found.unwrap_or_else(|| {
        let typed = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
        (StatusCode::NOT_IMPLEMENTED, typed, NOT_BUILT).into_response()
    })
}

/// A file that the page loads.
pub(crate) fn asset(find: &Find, name: &str, headers: &HeaderMap) -> Response {
    let found = file(find, &format!("assets/{name}"), headers, FOR_EVER);
    found.unwrap_or_else(|| {
        let typed = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
        let text = "There is no such file in this version of the collector: load the page anew.\n";
        (StatusCode::NOT_FOUND, typed, text).into_response()
    })
}

fn file(find: &Find, path: &str, headers: &HeaderMap, caching: &'static str) -> Option<Response> {
    let content_type = content_type(path)?;
    let mut forms = accepted(headers);
    let (encoding, bytes) = forms.find_map(|form| Some((form, find(&format!("{path}{}", form.ending()))?)))?;
    let mut response = Response::new(match bytes {
        std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
        std::borrow::Cow::Owned(bytes) => Body::from(bytes),
    });
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    answered.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    answered.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static(crate::CONTENT_SECURITY_POLICY);
    answered.insert(header::CONTENT_SECURITY_POLICY, policy);
    if let Some(name) = encoding.name() {
        answered.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    Some(response)
}
