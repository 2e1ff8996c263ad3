//! Prometheus' HTTP API as Grafana and promtool speak it: the paths that have an answer in this version.

mod labels;
mod metadata;
mod parameters;
mod query;
mod response;
mod rules;

use axum::routing::get;

use crate::error::Dialect;
use crate::route::{BOTH, Handler, READ, Route};

const fn route(path: &'static str, methods: &'static [&'static str], handler: Handler) -> Route {
    Route::read(Dialect::Prometheus, path, methods, handler)
}

pub(crate) const ROUTES: &[Route] = &[
    route("/api/v1/query", BOTH, || get(query::instant).post(query::instant)),
    route("/api/v1/query_range", BOTH, || get(query::range).post(query::range)),
    route("/api/v1/query_exemplars", BOTH, || get(query::exemplars).post(query::exemplars)),
    route("/api/v1/series", BOTH, || get(labels::series).post(labels::series)),
    route("/api/v1/labels", BOTH, || get(labels::names).post(labels::names)),
    route("/api/v1/label/{name}/values", READ, || get(labels::values)),
    route("/api/v1/metadata", READ, || get(metadata::metadata)),
    route("/api/v1/rules", READ, || get(rules::rules)),
    route("/api/v1/alerts", READ, || get(rules::alerts)),
    route("/api/v1/status/buildinfo", READ, || get(metadata::build)),
];
