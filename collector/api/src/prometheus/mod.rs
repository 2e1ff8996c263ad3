//! Prometheus' HTTP API as Grafana and promtool speak it: the paths that have an answer in this version.

mod labels;
mod metadata;
mod parameters;
mod query;
mod response;

use axum::routing::get;
use muster_fleet::Scope;

use crate::error::Dialect;
use crate::route::Route;

const BOTH: &[&str] = &["GET", "POST"];
const READ: &[&str] = &["GET"];

const fn route(
    path: &'static str,
    methods: &'static [&'static str],
    handler: fn() -> axum::routing::MethodRouter<std::sync::Arc<crate::state::State>>,
) -> Route {
    Route { path, methods, scope: Some(Scope::Read), dialect: Dialect::Prometheus, handler }
}

pub(crate) const ROUTES: &[Route] = &[
    route("/api/v1/query", BOTH, || get(query::instant).post(query::instant)),
    route("/api/v1/query_range", BOTH, || get(query::range).post(query::range)),
    route("/api/v1/series", BOTH, || get(labels::series).post(labels::series)),
    route("/api/v1/labels", BOTH, || get(labels::names).post(labels::names)),
    route("/api/v1/label/{name}/values", READ, || get(labels::values)),
    route("/api/v1/metadata", READ, || get(metadata::metadata)),
    route("/api/v1/status/buildinfo", READ, || get(metadata::build)),
];
