//! From arguments to what is printed.

use muster_common::time::Timestamp;

use crate::arguments::{Arguments, Noun, Output};
use crate::commands::query::Terminal;
use crate::commands::{
    Printed, alerts, ask, audit, availability, bundle, changes, checks, deploy, discovery, doctor, freeze, gate, hosts,
    inventory, login, logs, mail, maintenance, profiles, query, route, rules, services, silence, snapshot, status,
    tasks, token, user,
};
use crate::connect;
use crate::error::Failure;
use crate::session::Sessions;

/// Does what the arguments say.
///
/// # Errors
/// [`Failure`]: one line and an exit code.
pub async fn run(arguments: &Arguments, terminal: Terminal, now: Timestamp) -> Result<Printed, Failure> {
    let (output, now_ms) = (arguments.output, now.millis());
    // Keys and signatures are made where no collector need be.
    if let Noun::Task(verb) = &arguments.noun
        && let Some(done) = tasks::run_local(verb)
    {
        return done;
    }
    let session_path = arguments.session.clone().or_else(Sessions::usual_path).unwrap_or_default();
    let sessions = Sessions::load(&session_path, now_ms);
    let client = connect::client(arguments, &sessions)?;
    let url = connect::url(arguments);
    if output == Output::Raw && !matches!(arguments.noun, Noun::Logs(_)) {
        return Err(Failure::Usage("-o raw is of `muster logs` alone: write table, json or csv".to_owned()));
    }
    match &arguments.noun {
        Noun::Token(verb) => token::run(&client, verb, output, now_ms).await,
        Noun::User(verb) => user::run(&client, verb, output, now_ms).await,
        Noun::Login(asked) => login::log_in(&client, asked, sessions, url, output).await,
        Noun::Logout => login::log_out(&client, sessions, url, output).await,
        Noun::Audit(verb) => audit::run(&client, verb, output, now_ms).await,
        Noun::Hosts(verb) => hosts::run(&client, verb, output, now_ms).await,
        Noun::Inventory(verb) => inventory::run(&client, verb, output, now_ms).await,
        Noun::Ask(asked) => ask::run(&client, asked, output).await,
        Noun::Changes(asked) => changes::run(&client, asked, output, now_ms).await,
        Noun::Plan(asked) => profiles::plan(&client, asked, output).await,
        Noun::Apply(asked) => profiles::apply(&client, asked, output).await,
        Noun::Profiles(verb) => profiles::run(&client, verb, output, now_ms).await,
        Noun::Discovery(asked) => discovery::run(&client, asked, output, now_ms).await,
        Noun::Services => services::run(&client, output).await,
        Noun::Deploy(verb) => deploy::run(&client, verb, output).await,
        Noun::Freeze(verb) => freeze::run(&client, verb, output, now_ms).await,
        Noun::Gate(asked) => gate::run(&client, asked, output).await,
        Noun::Task(verb) => tasks::run(&client, verb, output, now_ms).await,
        Noun::Rollout(verb) => tasks::rollout(&client, verb, output, now_ms).await,
        Noun::Query(asked) => query::run(&client, asked, output, terminal, now_ms).await,
        Noun::Logs(asked) => logs::run(&client, asked, output, terminal, now_ms, &mut std::io::stdout()).await,
        Noun::Checks(verb) => checks::run(&client, verb, output, now_ms).await,
        Noun::Maintenance(verb) => maintenance::run(&client, verb, output, now_ms).await,
        Noun::Availability(asked) => availability::run(&client, asked, output).await,
        Noun::Alerts(asked) => alerts::run(&client, asked, output, now_ms).await,
        Noun::Silence(verb) => silence::run(&client, verb, output, now_ms).await,
        Noun::Rules(verb) => rules::run(&client, verb, output, now_ms).await,
        Noun::Route(verb) => route::run(&client, verb, output, now_ms).await,
        Noun::Mail(verb) => mail::run(&client, verb, output, now_ms).await,
        Noun::Snapshot(verb) => snapshot::run(&client, verb, output, now_ms).await,
        Noun::Status { show } => status::run(&client, *show, output, now_ms).await,
        Noun::Doctor => doctor::run(&client, output).await,
        Noun::Bundle { to } => {
            // The collector's log is on its machine, and that is where its token is looked for.
            bundle::run(&client, to.as_deref(), connect::is_here(arguments), now).await
        }
    }
}
