//! Loki's HTTP API as Grafana and logcli speak it, over lines and events: the paths that have an answer in this version.
//!
//! Of our own: `data.next` and `after`, by which pages go on exactly where another ended, and `count` of dropped entries.

mod absent;
mod build;
mod delete;
mod follow;
mod labels;
mod parameters;
mod query;
mod response;
mod tail;
mod volume;

pub(crate) use follow::{End, Follow, TailAsked};
pub(crate) use response::push_stream;

use axum::routing::{get, post};
use muster_fleet::Scope;

use crate::error::Dialect;
use crate::route::{BOTH, Handler, READ, Route};

const fn route(path: &'static str, methods: &'static [&'static str], handler: Handler) -> Route {
    Route::read(Dialect::Loki, path, methods, handler)
}

pub(crate) const ROUTES: &[Route] = &[
    route("/loki/api/v1/query", BOTH, || get(query::instant).post(query::instant)),
    route("/loki/api/v1/query_range", BOTH, || get(query::range).post(query::range)),
    route("/loki/api/v1/labels", BOTH, || get(labels::names).post(labels::names)),
    route("/loki/api/v1/label/{name}/values", BOTH, || get(labels::values).post(labels::values)),
    route("/loki/api/v1/series", BOTH, || get(labels::series).post(labels::series)),
    route("/loki/api/v1/index/stats", BOTH, || get(labels::stats).post(labels::stats)),
    route("/loki/api/v1/index/volume", BOTH, || get(volume::volume).post(volume::volume)),
    route("/loki/api/v1/index/volume_range", BOTH, || get(absent::volume_range).post(absent::volume_range)),
    route("/loki/api/v1/detected_labels", BOTH, || get(volume::labels).post(volume::labels)),
    route("/loki/api/v1/detected_fields", BOTH, || get(absent::fields).post(absent::fields)),
    route("/loki/api/v1/detected_field/{name}/values", BOTH, || get(absent::fields).post(absent::fields)),
    route("/loki/api/v1/patterns", BOTH, || get(absent::patterns).post(absent::patterns)),
    route("/loki/api/v1/drilldown-limits", READ, || get(absent::drilldown_limits)),
    route("/loki/api/v1/tail", READ, || get(tail::tail)),
    route("/loki/api/v1/status/buildinfo", READ, || get(build::build)),
    Route { scope: Some(Scope::Admin), ..route("/loki/api/v1/delete", &["POST"], || post(delete::delete)) },
];
