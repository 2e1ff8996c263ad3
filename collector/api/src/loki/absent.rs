//! What Loki answers and this version does not: refused by name, with what to ask instead. 404, as of a Loki that lacks them, which
//! Grafana takes for that.

use axum::extract::Request;

use crate::error::{ApiError, ErrorKind, LokiError};

pub(super) async fn fields(request: Request) -> LokiError {
    no(&request, "fields of lines are not detected", "name them in the query, by json, logfmt, pattern or regexp")
}

pub(super) async fn patterns(request: Request) -> LokiError {
    no(&request, "patterns of lines are not detected", "count lines by a part of them, by | pattern and sum by (...)")
}

pub(super) async fn volume_range(request: Request) -> LokiError {
    let instead = "ask query_range for sum by (...) (bytes_over_time(... [step]))";
    no(&request, "volumes are told of a whole time only", instead)
}

pub(super) async fn drilldown_limits(request: Request) -> LokiError {
    no(&request, "there are no settings for Logs Drilldown", "use Explore or a dashboard, which need none")
}

fn no(request: &Request, what: &str, instead: &str) -> LokiError {
    let error = ApiError::new(ErrorKind::NotFound, format!("{what} in this version"));
    error.place(request.uri().path()).remedy(instead).into()
}
