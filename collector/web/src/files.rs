//! The built files, and what each of them is.

use std::borrow::Cow;
use std::sync::Arc;

use rust_embed::RustEmbed;

/// `collector/web/dist` as it was when this was compiled. It may be empty: then the pages were not built.
#[derive(RustEmbed)]
#[folder = "dist/"]
#[allow_missing = true]
struct Embedded;

/// The page that every path of [`crate::PAGES`] gives.
pub(crate) const INDEX: &str = "index.html";

/// The bytes of a file of the built folder, by its path in it.
pub(crate) type Find = Arc<dyn Fn(&str) -> Option<Cow<'static, [u8]>> + Send + Sync>;

pub(crate) fn embedded() -> Find {
    Arc::new(|path| Embedded::get(path).map(|file| file.data))
}

/// Whether the pages are in this program.
pub fn is_built() -> bool {
    Embedded::get(INDEX).is_some()
}

/// What a file is, by its name; `None`: none that pages load.
pub(crate) fn content_type(path: &str) -> Option<&'static str> {
    let (_, end) = path.rsplit_once('.')?;
    Some(match end {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
