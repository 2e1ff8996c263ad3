//! Which paths are pages.

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::routing::get;

use crate::answer;
use crate::files::{Find, embedded};

/// First parts of the paths of pages; what follows is the page's own. Beside `/`, which is one too. The list is closed, so that a path of the
/// API that is written wrongly is refused in the API's words. `/metrics` is the collector's own numbers, so the page of that name is
/// `/explore`.
pub const PAGES: [&str; 20] = [
    "fleet",
    "hosts",
    "logs",
    "explore",
    "changes",
    "inventory",
    "deploys",
    "ask",
    "alerts",
    "discovery",
    "rules",
    "profiles",
    "gate",
    "calendar",
    "hosts-setup",
    "tasks",
    "health",
    "audit",
    "users",
    "login",
];

/// The routes of all pages and of the files that they load; it has no fallback, so that it can be merged into the API's.
pub fn router() -> Router {
    of(embedded())
}

pub(crate) fn of(find: Find) -> Router {
    let page = {
        let find = Find::clone(&find);
        move |headers: HeaderMap| async move { answer::page(&find, &headers) }
    };
    let mut router = Router::new().route("/", get(page.clone()));
    for first in PAGES {
        router = router.route(&format!("/{first}"), get(page.clone()));
        router = router.route(&format!("/{first}/{{*rest}}"), get(page.clone()));
    }
    let asset =
        move |Path(name): Path<String>, headers: HeaderMap| async move { answer::asset(&find, &name, &headers) };
    router.route("/assets/{name}", get(asset))
}
