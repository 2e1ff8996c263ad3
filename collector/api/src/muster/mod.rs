//! Muster's own API, version 1: JSON objects with `"version": 1`. `openapi.yaml` describes every path; a test compares the two.

mod alerts;
mod ask;
mod audit;
mod availability;
mod body;
mod caller;
mod checks;
mod checks_ack;
mod deploys;
mod discovery;
mod doctor;
mod downtimes;
mod events;
mod fleet;
mod gate;
mod holds;
mod hosts;
mod inventory;
mod live;
mod log_tail;
mod login;
mod mail;
mod maintenances;
mod me;
mod mutes;
mod openapi;
mod problem;
mod problems;
mod processes;
mod profiles;
mod routes;
mod rules;
mod snapshots;
mod status;
mod storage;
mod tasks;
mod tokens;
mod users;

pub(crate) use alerts::firing_rows;
pub(crate) use checks::check_json;
pub(crate) use deploys::running_deploys;
pub(crate) use downtimes::downtime_json;
pub(crate) use events::event_json;
pub(crate) use fleet::read_past;
pub use gate::verify_deploys;
pub(crate) use hosts::host_json;
pub(crate) use maintenances::maintenance_json;
pub(crate) use tasks::order_json;

use axum::routing::{delete, get, post, put};
use muster_fleet::Scope;

use crate::error::Dialect;
use crate::route::Route;

const fn route(
    path: &'static str,
    methods: &'static [&'static str],
    scope: Option<Scope>,
    handler: fn() -> axum::routing::MethodRouter<std::sync::Arc<crate::state::State>>,
) -> Route {
    Route { path, methods, scope, dialect: Dialect::Muster, handler }
}

const READ: Option<Scope> = Some(Scope::Read);
const ASK: Option<Scope> = Some(Scope::Ask);
const DEPLOY: Option<Scope> = Some(Scope::Deploy);
const SILENCE: Option<Scope> = Some(Scope::Silence);
const TASK_REQUEST: Option<Scope> = Some(Scope::TaskRequest);
const TASK_APPROVE: Option<Scope> = Some(Scope::TaskApprove);
const ADMIN: Option<Scope> = Some(Scope::Admin);

pub(crate) const ROUTES: &[Route] = &[
    route("/api/muster/v1/openapi.yaml", &["GET"], None, || get(openapi::document)),
    route("/api/muster/v1/status", &["GET"], READ, || get(status::status)),
    route("/api/muster/v1/doctor", &["GET"], ADMIN, || get(doctor::doctor)),
    route("/api/muster/v1/problems", &["GET"], READ, || get(problems::list)),
    route("/api/muster/v1/fleet", &["GET"], READ, || get(fleet::fleet)),
    route("/api/muster/v1/live", &["GET"], READ, || get(live::live)),
    route("/api/muster/v1/logs/tail", &["GET"], READ, || get(log_tail::tail)),
    route("/api/muster/v1/events", &["GET"], READ, || get(events::list)),
    route("/api/muster/v1/hosts", &["GET"], READ, || get(hosts::list)),
    route("/api/muster/v1/hosts/{host}", &["GET"], READ, || get(hosts::one)),
    route("/api/muster/v1/hosts/{host}/processes", &["GET"], READ, || get(processes::show)),
    route("/api/muster/v1/hosts/{host}/inventory", &["GET"], READ, || get(inventory::tables_of_host)),
    route("/api/muster/v1/hosts/{host}/inventory/{table}", &["GET"], READ, || get(inventory::rows)),
    route("/api/muster/v1/inventory/tables", &["GET"], READ, || get(inventory::tables)),
    route("/api/muster/v1/inventory/query", &["GET"], READ, || get(inventory::ask)),
    route("/api/muster/v1/inventory/query", &["POST"], READ, || post(inventory::ask)),
    route("/api/muster/v1/inventory/compare", &["GET"], READ, || get(inventory::compare)),
    route("/api/muster/v1/inventory/drift", &["GET"], READ, || get(inventory::drift)),
    route("/api/muster/v1/inventory/baselines", &["GET"], READ, || get(inventory::baselines)),
    route("/api/muster/v1/inventory/baselines/{name}", &["PUT"], SILENCE, || put(inventory::pin)),
    route("/api/muster/v1/inventory/baselines/{name}", &["DELETE"], SILENCE, || delete(inventory::unpin)),
    route("/api/muster/v1/ask", &["POST"], ASK, || post(ask::ask)),
    route("/api/muster/v1/ask/tables", &["GET"], READ, || get(ask::tables)),
    route("/api/muster/v1/changes", &["GET"], READ, || get(inventory::changes)),
    route("/api/muster/v1/announcements", &["GET"], READ, || get(inventory::announced)),
    route("/api/muster/v1/announcements", &["POST"], SILENCE, || post(inventory::announce)),
    route("/api/muster/v1/announcements/{id}", &["DELETE"], SILENCE, || delete(inventory::end)),
    route("/api/muster/v1/gate", &["GET"], READ, || get(gate::ask)),
    route("/api/muster/v1/gate", &["POST"], SILENCE, || post(gate::override_it)),
    route("/api/muster/v1/gate/decisions", &["GET"], READ, || get(gate::decisions)),
    route("/api/muster/v1/gate/decisions/{id}/replay", &["GET"], READ, || get(gate::replay)),
    route("/api/muster/v1/profiles", &["GET"], READ, || get(profiles::list)),
    route("/api/muster/v1/profiles/export", &["GET"], READ, || get(profiles::export)),
    route("/api/muster/v1/profiles/plan", &["POST"], READ, || post(profiles::plan)),
    route("/api/muster/v1/profiles/apply", &["POST"], ADMIN, || post(profiles::apply)),
    route("/api/muster/v1/profiles/assigned", &["GET"], READ, || get(profiles::assigned)),
    route("/api/muster/v1/profiles/versions", &["GET"], READ, || get(profiles::versions)),
    route("/api/muster/v1/profiles/versions/{version}", &["GET"], READ, || get(profiles::version)),
    route("/api/muster/v1/profiles/rollouts", &["GET"], READ, || get(profiles::rollouts)),
    route("/api/muster/v1/profiles/rollouts/stop", &["POST"], ADMIN, || post(profiles::stop)),
    route("/api/muster/v1/profiles/rollouts/resume", &["POST"], ADMIN, || post(profiles::resume)),
    route("/api/muster/v1/profiles/rollouts/revert", &["POST"], ADMIN, || post(profiles::revert)),
    route("/api/muster/v1/profiles/named/{name}", &["GET"], READ, || get(profiles::one)),
    route("/api/muster/v1/hosts/{host}/configuration", &["GET"], READ, || get(profiles::configuration)),
    route("/api/muster/v1/hosts/{host}/configuration/retry", &["POST"], ADMIN, || post(profiles::retry)),
    route("/api/muster/v1/hosts/{host}/profiles/{name}", &["PUT"], ADMIN, || put(profiles::assign)),
    route("/api/muster/v1/hosts/{host}/profiles/{name}", &["DELETE"], ADMIN, || delete(profiles::unassign)),
    route("/api/muster/v1/discovery", &["GET"], READ, || get(discovery::list)),
    route("/api/muster/v1/discovery/decide", &["POST"], SILENCE, || post(discovery::decide)),
    route("/api/muster/v1/discovery/rules", &["GET"], READ, || get(discovery::rules)),
    route("/api/muster/v1/discovery/rules/test", &["POST"], READ, || post(discovery::test_rule)),
    route("/api/muster/v1/discovery/rules/{name}", &["PUT"], SILENCE, || put(discovery::put_rule)),
    route("/api/muster/v1/discovery/rules/{name}", &["DELETE"], SILENCE, || delete(discovery::remove_rule)),
    route("/api/muster/v1/tasks/catalogue", &["GET"], READ, || get(tasks::catalogue)),
    route("/api/muster/v1/tasks/catalogue", &["POST"], ADMIN, || post(tasks::add)),
    route("/api/muster/v1/tasks/pause", &["POST"], TASK_REQUEST, || post(tasks::pause_all)),
    route("/api/muster/v1/tasks/resume", &["POST"], ADMIN, || post(tasks::resume_all)),
    route("/api/muster/v1/tasks/orders", &["GET"], READ, || get(tasks::list)),
    route("/api/muster/v1/tasks/orders", &["POST"], TASK_REQUEST, || post(tasks::request)),
    route("/api/muster/v1/tasks/orders/{id}", &["GET"], READ, || get(tasks::one)),
    route("/api/muster/v1/tasks/orders/{id}/output", &["GET"], READ, || get(tasks::output)),
    route("/api/muster/v1/tasks/orders/{id}/approve", &["POST"], TASK_APPROVE, || post(tasks::approve)),
    route("/api/muster/v1/tasks/orders/{id}/pause", &["POST"], TASK_REQUEST, || post(tasks::pause)),
    route("/api/muster/v1/tasks/orders/{id}/resume", &["POST"], TASK_REQUEST, || post(tasks::resume)),
    route("/api/muster/v1/tasks/orders/{id}/stop", &["POST"], TASK_REQUEST, || post(tasks::stop)),
    route("/api/muster/v1/tasks/orders/{id}/rollback", &["POST"], TASK_REQUEST, || post(tasks::roll_back)),
    route("/api/muster/v1/hosts/{host}/approve", &["POST"], ADMIN, || post(hosts::approve)),
    route("/api/muster/v1/hosts/{host}/rename", &["POST"], ADMIN, || post(hosts::rename)),
    route("/api/muster/v1/hosts/{host}/labels", &["POST"], ADMIN, || post(hosts::label)),
    route("/api/muster/v1/hosts/{host}/replace", &["POST"], ADMIN, || post(hosts::replace)),
    route("/api/muster/v1/hosts/{host}/retire", &["POST"], ADMIN, || post(hosts::retire)),
    route("/api/muster/v1/checks", &["GET"], READ, || get(checks::list)),
    route("/api/muster/v1/checks/ack", &["POST"], SILENCE, || post(checks_ack::acknowledge)),
    route("/api/muster/v1/checks/{host}/{check}", &["GET"], READ, || get(checks::one)),
    route("/api/muster/v1/checks/{host}/{check}", &["DELETE"], SILENCE, || delete(checks::forget)),
    route("/api/muster/v1/checks/{host}/{check}/ack", &["POST"], SILENCE, || post(checks::acknowledge)),
    route("/api/muster/v1/checks/{host}/{check}/ack", &["DELETE"], SILENCE, || delete(checks::unacknowledge)),
    route("/api/muster/v1/downtimes", &["GET"], READ, || get(downtimes::list)),
    route("/api/muster/v1/downtimes", &["POST"], SILENCE, || post(downtimes::add)),
    route("/api/muster/v1/downtimes/{id}", &["DELETE"], SILENCE, || delete(downtimes::end)),
    route("/api/muster/v1/services", &["GET"], READ, || get(deploys::services)),
    route("/api/muster/v1/deploys", &["GET"], READ, || get(deploys::list)),
    route("/api/muster/v1/deploys", &["POST"], DEPLOY, || post(deploys::start)),
    route("/api/muster/v1/deploys/finish", &["POST"], DEPLOY, || post(deploys::finish_running)),
    route("/api/muster/v1/deploys/{id}", &["GET"], READ, || get(deploys::one)),
    route("/api/muster/v1/deploys/{id}/finish", &["POST"], DEPLOY, || post(deploys::finish)),
    route("/api/muster/v1/freezes", &["GET"], READ, || get(deploys::freezes)),
    route("/api/muster/v1/freezes", &["POST"], SILENCE, || post(deploys::add_freeze)),
    route("/api/muster/v1/freezes/override", &["POST"], SILENCE, || post(deploys::override_freeze)),
    route("/api/muster/v1/freezes/{id}", &["DELETE"], SILENCE, || delete(deploys::end_freeze)),
    // Whoever sends these proves it by the secret of the hook.
    route("/api/muster/v1/hooks/github", &["POST"], None, || post(deploys::github_hook)),
    route("/api/muster/v1/hooks/gitlab", &["POST"], None, || post(deploys::gitlab_hook)),
    route("/api/muster/v1/availability", &["GET"], READ, || get(availability::availability)),
    route("/api/muster/v1/maintenances", &["GET"], READ, || get(maintenances::list)),
    route("/api/muster/v1/maintenances", &["POST"], SILENCE, || post(maintenances::begin)),
    route("/api/muster/v1/maintenances/{id}/finish", &["POST"], SILENCE, || post(maintenances::finish)),
    route("/api/muster/v1/alerts", &["GET"], READ, || get(alerts::list)),
    route("/api/muster/v1/alerts/{id}/changes", &["GET"], READ, || get(inventory::changes_before)),
    route("/api/muster/v1/mutes", &["GET"], READ, || get(mutes::list)),
    route("/api/muster/v1/routes/explain", &["POST"], READ, || post(routes::explain)),
    route("/api/muster/v1/rules/lint", &["POST"], READ, || post(rules::lint)),
    route("/api/muster/v1/rules/unit", &["POST"], READ, || post(rules::unit)),
    route("/api/muster/v1/mail", &["GET"], READ, || get(mail::queue)),
    route("/api/muster/v1/mail/preview", &["GET"], READ, || get(mail::preview)),
    route("/api/muster/v1/mail/preview.html", &["GET"], READ, || get(mail::preview_page)),
    route("/api/muster/v1/mail/test", &["POST"], ADMIN, || post(mail::test)),
    route("/api/muster/v1/snapshots", &["GET"], ADMIN, || get(snapshots::list)),
    route("/api/muster/v1/snapshots", &["POST"], ADMIN, || post(snapshots::make)),
    route("/api/muster/v1/tokens", &["GET"], ADMIN, || get(tokens::list)),
    route("/api/muster/v1/tokens", &["POST"], ADMIN, || post(tokens::new)),
    route("/api/muster/v1/tokens/{id}", &["DELETE"], ADMIN, || delete(tokens::revoke)),
    route("/api/muster/v1/login", &["POST"], None, || post(login::log_in)),
    route("/api/muster/v1/logout", &["POST"], READ, || post(login::log_out)),
    route("/api/muster/v1/me", &["GET"], READ, || get(me::show)),
    route("/api/muster/v1/me", &["PUT"], READ, || put(me::change)),
    route("/api/muster/v1/sessions", &["GET"], READ, || get(login::list)),
    route("/api/muster/v1/sessions/{id}", &["DELETE"], READ, || delete(login::end)),
    route("/api/muster/v1/users", &["GET"], ADMIN, || get(users::list)),
    route("/api/muster/v1/users", &["POST"], ADMIN, || post(users::add)),
    route("/api/muster/v1/users/{name}", &["PUT"], ADMIN, || put(users::change)),
    route("/api/muster/v1/users/{name}", &["DELETE"], ADMIN, || delete(users::remove)),
    route("/api/muster/v1/audit", &["GET"], ADMIN, || get(audit::list)),
    route("/api/muster/v1/audit/verify", &["GET"], ADMIN, || get(audit::verify)),
];
