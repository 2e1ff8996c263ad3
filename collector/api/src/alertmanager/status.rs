//! `status` and `receivers`.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use serde_json::{Value, json};

use super::body::answer;
use super::config;
use crate::json::rfc3339;
use crate::state::State;

/// The version of Alertmanager's API that these routes follow; what runs stands behind the `+`.
const SPOKEN_VERSION: &str = "0.28.0";

pub(super) async fn status(Shared(state): Shared<Arc<State>>) -> Response {
    let config = state.alerting.ask(|desk| Arc::clone(desk.config()));
    answer(&json!({
        // One collector tells; there is nobody to agree with.
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": config::written(&config)},
        "uptime": rfc3339(state.started.millis()),
        "versionInfo": {
            "version": format!("{SPOKEN_VERSION}+muster.{}", state.version),
            "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
        },
    }))
}

pub(super) async fn receivers(Shared(state): Shared<Arc<State>>) -> Response {
    let config = state.alerting.ask(|desk| Arc::clone(desk.config()));
    let receivers: Vec<Value> = config.receivers.iter().map(|receiver| json!({"name": receiver.name})).collect();
    answer(&Value::Array(receivers))
}
