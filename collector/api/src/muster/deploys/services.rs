//! Services as they are declared, and how they stand in each environment.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use muster_fleet::{RateSpec, ServiceEnvironment, ServiceView};
use serde_json::{Value, json};

use super::shown::{HostNames, frozen_json, version_json};
use crate::error::MusterError;
use crate::muster::body::object;
use crate::muster::downtimes::matchers;
use crate::state::State;

/// All, by name.
pub(in crate::muster) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Response, MusterError> {
    let (fleet, now) = (Arc::clone(&state.fleet), state.now());
    object(move || {
        let mut names = HostNames::new(&fleet);
        let services = fleet.services(now);
        let all: Vec<Value> = services.iter().map(|service| shown(service, now.millis(), &mut names)).collect();
        json!({"version": 1, "file": fleet.deploy_file(), "services": all})
    })
    .await
}

fn shown(service: &ServiceView, now_ms: i64, names: &mut HostNames<'_>) -> Value {
    let spec = &service.spec;
    let environments: Vec<Value> =
        service.environments.iter().map(|environment| environment_json(environment, now_ms, names)).collect();
    let rate = |rate: &RateSpec| json!({"name": rate.name, "bad": rate.bad, "all": rate.all});
    let rates: Vec<Value> = spec.rates.iter().map(rate).collect();
    json!({
        "name": spec.name,
        "hosts": matchers(&spec.hosts),
        "units": spec.units,
        "checks": spec.checks,
        "streams": spec.streams,
        "packages": spec.packages,
        "repositories": spec.repositories,
        "rates": rates,
        "environments": environments,
        "outside": service.outside,
    })
}

fn environment_json(environment: &ServiceEnvironment, now_ms: i64, names: &mut HostNames<'_>) -> Value {
    let versions: Vec<Value> = environment.versions.iter().map(|seen| version_json(seen, now_ms, names)).collect();
    json!({
        "env": environment.env,
        "hosts": environment.hosts,
        "after": environment.rule.as_ref().map(|rule| &rule.after),
        "soak_ms": environment.rule.as_ref().map(|rule| rule.soak_ms),
        "versions": versions,
        "running": environment.running,
        "frozen": environment.freeze.as_ref().map(frozen_json),
    })
}
