//! `status/buildinfo`: by its version clients choose what they ask.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;

use super::response::json;
use crate::json::push_html_safe_string;
use crate::state::State;

/// The version of Loki's HTTP API that these routes follow; what runs stands behind the `+`.
const SPOKEN_VERSION: &str = "3.0.0";

pub(super) async fn build(Shared(state): Shared<Arc<State>>) -> Response {
    let mut out = b"{\"version\":".to_vec();
    push_html_safe_string(&mut out, &format!("{SPOKEN_VERSION}+muster.{}", state.version));
    for name in ["revision", "branch", "buildUser", "buildDate", "goVersion"] {
        out.extend_from_slice(format!(",\"{name}\":\"\"").as_bytes());
    }
    out.extend_from_slice(b"}\n");
    json(out)
}
