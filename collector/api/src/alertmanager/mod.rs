//! Alertmanager's HTTP API, version 2, as Prometheus, amtool and Grafana speak it: shapes and statuses of Alertmanager 0.28.

mod alerts;
mod body;
mod config;
mod push;
mod silences;
mod status;

pub(crate) use silences::silence_json;

use axum::routing::{delete, get, post};
use muster_fleet::Scope;

use crate::error::Dialect;
use crate::route::{Handler, Route};

const fn route(path: &'static str, methods: &'static [&'static str], scope: Scope, handler: Handler) -> Route {
    Route { path, methods, scope: Some(scope), dialect: Dialect::Alertmanager, handler }
}

/// Who pushes alerts brings data in, as who pushes samples does; who silences changes what people are told.
pub(crate) const ROUTES: &[Route] = &[
    route("/api/v2/status", &["GET"], Scope::Read, || get(status::status)),
    route("/api/v2/receivers", &["GET"], Scope::Read, || get(status::receivers)),
    route("/api/v2/alerts", &["GET"], Scope::Read, || get(alerts::list)),
    route("/api/v2/alerts", &["POST"], Scope::Ingest, || post(push::push)),
    route("/api/v2/alerts/groups", &["GET"], Scope::Read, || get(alerts::groups)),
    route("/api/v2/silences", &["GET"], Scope::Read, || get(silences::list)),
    route("/api/v2/silences", &["POST"], Scope::Silence, || post(silences::put)),
    route("/api/v2/silence/{id}", &["GET"], Scope::Read, || get(silences::one)),
    route("/api/v2/silence/{id}", &["DELETE"], Scope::Silence, || delete(silences::expire)),
];
