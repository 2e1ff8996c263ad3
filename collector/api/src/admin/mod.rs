//! The administrator's routes: is it well, its numbers, write everything out, read the configuration anew.

mod flush;
mod health;
mod metrics;
mod reload;

use axum::routing::{get, post};
use muster_fleet::Scope;

use crate::error::Dialect;
use crate::route::Route;

const fn route(
    path: &'static str,
    methods: &'static [&'static str],
    scope: Option<Scope>,
    handler: fn() -> axum::routing::MethodRouter<std::sync::Arc<crate::state::State>>,
) -> Route {
    Route { path, methods, scope, dialect: Dialect::Plain, handler }
}

pub(crate) const ROUTES: &[Route] = &[
    route("/-/healthy", &["GET"], None, || get(health::healthy)),
    route("/-/ready", &["GET"], None, || get(health::ready)),
    route("/metrics", &["GET"], Some(Scope::Read), || get(metrics::metrics)),
    route("/-/flush", &["POST"], Some(Scope::Admin), || post(flush::flush)),
    route("/-/reload", &["POST"], Some(Scope::Admin), || post(reload::reload)),
];
