//! Requests against the routes, with files of their own.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::files::{Find, is_built};
use crate::{CONTENT_SECURITY_POLICY, PAGES, routes};

/// Two pages' worth of files: one compressed both ways, one in gzip alone, one of no kind that pages load.
fn files() -> Find {
    Arc::new(|path| {
        let text: &'static [u8] = match path {
            "index.html" => b"<!doctype html>page",
            "index.html.br" => b"page in brotli",
            "index.html.gz" => b"page in gzip",
            "assets/main-abc.js" => b"let a = 1",
            "assets/main-abc.js.gz" => b"script in gzip",
            "assets/secret.key" | "secret.js" => b"no page's",
            _ => return None,
        };
        Some(Cow::Borrowed(text))
    })
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(router: Router, method: &str, path: &str, encodings: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header(header::ACCEPT_ENCODING, encodings);
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

#[tokio::test]
async fn every_page_is_the_same_file_and_asked_for_anew() {
    for path in ["/", "/fleet", "/hosts/web-1.example.org", "/hosts/a%2Fb", "/alerts/0/1/2", "/login?next=%2Ffleet"] {
        let answer = ask(routes::of(files()), "GET", path, "gzip, br").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "page in brotli"), "{path}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-cache");
        assert_eq!(answer.header(header::CONTENT_ENCODING), "br");
        assert_eq!(answer.header(header::VARY), "Accept-Encoding");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::CONTENT_SECURITY_POLICY), CONTENT_SECURITY_POLICY);
    }
}

#[tokio::test]
async fn a_file_comes_in_a_form_that_is_there_and_taken() {
    for (encodings, text, coding) in [
        ("br, gzip", "script in gzip", "gzip"),
        ("br", "let a = 1", ""),
        ("", "let a = 1", ""),
        ("gzip;q=0, br", "let a = 1", ""),
    ] {
        let answer = ask(routes::of(files()), "GET", "/assets/main-abc.js", encodings).await;
        assert_eq!((answer.text.as_str(), answer.header(header::CONTENT_ENCODING)), (text, coding), "{encodings}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
        assert_eq!(answer.header(header::CONTENT_TYPE), "text/javascript; charset=utf-8");
    }
    let head = ask(routes::of(files()), "HEAD", "/assets/main-abc.js", "gzip").await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.header(header::CONTENT_LENGTH), "14");
}

#[tokio::test]
async fn nothing_but_files_of_pages_is_given() {
    for path in [
        "/assets/other.js",
        "/assets/secret.key",
        "/assets/main-abc.js.gz",
        "/assets/..%2fsecret.js",
        "/assets/%2e%2e%2fsecret.js",
        "/assets/..%5csecret.js",
        "/assets/%00.js",
    ] {
        let answer = ask(routes::of(files()), "GET", path, "gzip, br").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text.contains("load the page anew"), "{path}: {}", answer.text);
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_left_to_whoever_has_them() {
    let others = || Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "the API's") });
    for path in
        ["/flet", "/index.html", "/api/muster/v1/host", "/fleetx", "/metrics", "/assets/a/b.js", "/../secret.js"]
    {
        let answer = ask(others().merge(routes::of(files())), "GET", path, "br").await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_FOUND, "the API's"), "{path}");
    }
    let answer = ask(others().merge(routes::of(files())), "POST", "/fleet", "br").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn without_built_pages_a_page_says_so() {
    for path in ["/", "/fleet", "/hosts/a"] {
        let answer = ask(routes::of(Arc::new(|_| None)), "GET", path, "gzip").await;
        assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED, "{path}");
        assert!(answer.text.contains("cargo xtask web") && answer.text.contains("built without its pages"), "{path}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
        assert!(!answer.text.contains("style=") && !answer.text.contains("<script"), "the policy would refuse them");
    }
}

#[tokio::test]
async fn what_is_embedded_is_served() {
    let answer = ask(crate::router(), "GET", "/", "").await;
    assert_eq!(answer.status == StatusCode::OK, is_built(), "{}", answer.status);
    if !is_built() {
        return assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
    }
    assert!(answer.text.starts_with("<!doctype html>"), "{}", answer.text);
    // Nothing that the policy would refuse, and whatever it names is there.
    assert!(!answer.text.contains("style=") && !answer.text.contains("<style"), "{}", answer.text);
    let names: Vec<&str> = answer.text.split('"').filter_map(|word| word.strip_prefix("/assets/")).collect();
    assert!(
        names.iter().any(|name| name.ends_with(".js")) && names.iter().any(|name| name.ends_with(".css")),
        "{names:?}"
    );
    for name in names {
        let file = ask(crate::router(), "GET", &format!("/assets/{name}"), "").await;
        assert_eq!(file.status, StatusCode::OK, "{name}");
    }
}

/// Paths in the table of pages, such as `path: '/hosts/:host'`.
#[test]
fn every_page_of_the_table_has_its_route() {
    let table = include_str!("../ui/src/pages/index.ts");
    let paths: Vec<&str> = table.split("path: '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    assert!(paths.contains(&"/") && paths.contains(&"/login"), "{paths:?}");
    for path in paths {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        assert!(first.is_empty() || PAGES.contains(&first), "`{path}` is in ui/src/pages/index.ts and not in PAGES");
    }
}

/// The corpus of hostile strings runs only where text becomes markup: nothing in the sources makes it.
#[test]
fn text_of_others_is_never_markup() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/ui/src"))];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            seen += 1;
            let words = [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "javascript:",
            ];
            for word in words {
                assert!(!text.contains(word), "{} has `{word}`", path.display());
            }
        }
    }
    assert!(seen > 20, "only {seen} files");
}
