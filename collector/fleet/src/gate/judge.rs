//! The decision: pure, so that the facts that were kept give it again.

use super::compare::{Comparison, Outcome, Worse, compare};
use super::facts::{Asked, Before, Facts, Freeze, HostFact, HowEnded, Place, Problem};
use super::links::{FREEZES, deploys, of_host};
use super::verdict::{Code, Decision, Reason};

/// Severities of alerts that are no problem.
const NO_PROBLEM: [&str; 4] = ["info", "none", "ok", "notice"];
/// Names in one text; of others there is the count.
const NAMED_MAX: usize = 5;

/// Decides. Whoever asks again with the same facts gets the same answer.
pub fn judge(facts: &Facts) -> Decision {
    let asked = &facts.asked;
    if !facts.is_declared {
        let text = format!("no service `{}` is declared", asked.service);
        return Decision::of(vec![Reason::new(Code::UnknownService, text, "/fleet".to_owned())]);
    }
    let mut reasons = Vec::new();
    freezes(facts, &mut reasons);
    stale_rules(facts, &mut reasons);
    hosts(&facts.to, asked, &mut reasons);
    if asked.rollback {
        ended_ok_there(facts, &mut reasons);
        problems(&facts.to, Code::ProblemTold, &mut reasons);
    } else {
        stale_hosts(&facts.to, asked.at_ms, &mut reasons);
        problems(&facts.to, Code::Problem, &mut reasons);
        if facts.before.is_empty() {
            let text = format!("no environment comes before {}, so only {} itself was looked at", asked.to, asked.to);
            reasons.push(Reason::new(Code::NoOrder, text, deploys(&asked.service)));
        }
        for before in &facts.before {
            before_it(before, asked, &mut reasons);
        }
        if let Some(numbers) = &facts.canary {
            canary(numbers, asked, &mut reasons);
        }
    }
    overridden(asked, &mut reasons);
    Decision::of(reasons)
}

/// Freezes that hold: an override that was made at the freeze lifts it for everybody, and is told.
fn freezes(facts: &Facts, reasons: &mut Vec<Reason>) {
    for freeze in &facts.freezes {
        let Freeze { id, reason, by, until_ms, lifted } = freeze;
        let until = until_ms.map_or_else(|| "until somebody ends it".to_owned(), |ms| format!("until {}", moment(ms)));
        let mut text = format!("freeze {id} holds for {} {until}: {reason} ({by})", facts.asked.to);
        let code = match lifted {
            Some(over) => {
                text.push_str(&format!("; lifted by {}: {}", over.by, over.reason));
                Code::FreezeLifted
            }
            None => Code::Freeze,
        };
        reasons.push(Reason::new(code, text, FREEZES.to_owned()));
    }
}

/// Problems come of rules: where these were not looked at, none is no news.
fn stale_rules(facts: &Facts, reasons: &mut Vec<Reason>) {
    let text = match facts.rules_ms {
        Some(ms) if facts.asked.at_ms.saturating_sub(ms) <= HostFact::FRESH_MS => return,
        Some(ms) => {
            format!("rules and checks were looked at last {} ago", duration(facts.asked.at_ms.saturating_sub(ms)))
        }
        None => "rules and checks were not looked at yet".to_owned(),
    };
    reasons.push(Reason::new(Code::Stale, text, "/health".to_owned()));
}

fn hosts(place: &Place, asked: &Asked, reasons: &mut Vec<Reason>) {
    if place.hosts.is_empty() {
        let text = format!("service `{}` has no host in {}", asked.service, place.env);
        reasons.push(Reason::new(Code::NoHosts, text, "/fleet".to_owned()));
    }
}

fn stale_hosts(place: &Place, at_ms: i64, reasons: &mut Vec<Reason>) {
    let stale: Vec<&HostFact> = place.hosts.iter().filter(|host| host.is_stale(at_ms)).collect();
    let Some(first) = stale.first() else { return };
    let names = named(stale.iter().map(|host| host.name.as_str()), stale.len());
    let how = match first.heard_ms {
        Some(ms) => {
            format!("{} {} ago", if first.state.is_empty() { "heard last" } else { &first.state }, duration(at_ms - ms))
        }
        None => "never heard since the collector started".to_owned(),
    };
    let text = format!("nothing new is known of {names} in {}: {} {how}", place.env, first.name);
    reasons.push(Reason::new(Code::Stale, text, of_host(&first.name)));
}

fn problems(place: &Place, code: Code, reasons: &mut Vec<Reason>) {
    let counts = |problem: &&Problem| !NO_PROBLEM.contains(&problem.severity.as_str());
    for problem in place.problems.iter().filter(counts) {
        let of = if problem.host.is_empty() { "the service" } else { &problem.host };
        let held = if problem.held.is_empty() { String::new() } else { format!(", {}", problem.held) };
        let since = moment(problem.since_ms);
        let text = format!("{} of {of} in {}: {} since {since}{held}", problem.name, place.env, problem.severity);
        reasons.push(Reason::new(code, text, problem.evidence.clone()));
    }
    if place.more_problems > 0 {
        let text = format!("{} more problems in {}", place.more_problems, place.env);
        reasons.push(Reason::new(code, text, "/".to_owned()));
    }
}

/// Going back is for when things are bad, so nothing that is bad there keeps from it; only to what is known to have worked.
fn ended_ok_there(facts: &Facts, reasons: &mut Vec<Reason>) {
    let (asked, env) = (&facts.asked, &facts.to.env);
    match &facts.to.ended {
        Some(ended) if ended.how == HowEnded::Ok => {}
        Some(ended) => {
            let (deploy, how, when) = (ended.deploy, ended.how.words(), moment(ended.at_ms));
            let text = format!("deploy {deploy} of {} to {env} {how} at {when}", asked.version);
            reasons.push(Reason::new(Code::FailedThere, text, deploys(&asked.service)));
        }
        None => {
            let text = format!("no deploy of {} to {env} is known to have ended ok", asked.version);
            reasons.push(Reason::new(Code::NeverEndedOk, text, deploys(&asked.service)));
        }
    }
}

fn before_it(before: &Before, asked: &Asked, reasons: &mut Vec<Reason>) {
    let Before { place, soak_ms, seen, since } = before;
    let (env, version) = (&place.env, &asked.version);
    let mut add = |code, text| reasons.push(Reason::new(code, text, deploys(&asked.service)));
    if let Some(ended) = &place.ended
        && matches!(ended.how, HowEnded::Failed | HowEnded::RolledBack)
    {
        let (how, when) = (ended.how.words(), moment(ended.at_ms));
        add(Code::FailedThere, format!("deploy {} of {version} to {env} {how} at {when}", ended.deploy));
    }
    match seen {
        None => add(Code::NeverSeen, format!("{version} was never seen in {env}")),
        Some(seen) if seen.soaked_ms >= *soak_ms && seen.was_whole => {}
        Some(seen) if seen.hosts < seen.of_hosts && !seen.was_whole => {
            let text = format!("{version} is on {} of {} hosts in {env}", seen.hosts, seen.of_hosts);
            add(Code::InPart, text);
        }
        Some(seen) => {
            let (there, wanted) = (duration(seen.soaked_ms.max(0)), duration(*soak_ms));
            add(
                Code::SoakShort,
                format!("{version} was on all hosts in {env} for {there} so far, {wanted} are wanted"),
            );
        }
    }
    hosts(place, asked, reasons);
    stale_hosts(place, asked.at_ms, reasons);
    problems(place, Code::Problem, reasons);
    if let Some(numbers) = since {
        since_then(numbers, env, asked, reasons);
    }
}

fn since_then(numbers: &Comparison, env: &str, asked: &Asked, reasons: &mut Vec<Reason>) {
    let compared = compare(numbers);
    for Worse { is_pattern, text, evidence } in compared.worse {
        let (code, what) = if is_pattern { (Code::NewPattern, "new since") } else { (Code::ErrorRate, "more since") };
        let text = format!("{what} {} came to {env}: {text}", asked.version);
        reasons.push(Reason::new(code, text, evidence));
    }
    if compared.outcome == Outcome::NotEnough {
        let text = format!("{env} cannot be compared with what it was before: {}", compared.text);
        reasons.push(Reason::new(Code::SinceNotEnough, text, deploys(&asked.service)));
    }
}

fn canary(numbers: &Comparison, asked: &Asked, reasons: &mut Vec<Reason>) {
    let compared = compare(numbers);
    let sides = format!("{} against {}", numbers.canary, numbers.baseline);
    for worse in compared.worse {
        let text = format!("{sides}: {}", worse.text);
        reasons.push(Reason::new(Code::CanaryWorse, text, worse.evidence));
    }
    if compared.outcome == Outcome::NotEnough {
        let text = format!("{sides} cannot be compared yet: {}", compared.text);
        reasons.push(Reason::new(Code::CanaryNotEnough, text, deploys(&asked.service)));
    }
}

/// Lifts what somebody takes on themselves. Nobody can take on themselves what is not known.
fn overridden(asked: &Asked, reasons: &mut Vec<Reason>) {
    let Some(over) = &asked.over else { return };
    let mut is_used = false;
    for reason in reasons.iter_mut() {
        if reason.waivable && (over.codes.is_empty() || over.codes.contains(&reason.code)) {
            reason.lifted = true;
            reason.text.push_str(&format!("; lifted by {}: {}", over.by, over.reason));
            is_used = true;
        }
    }
    if !is_used {
        let text = format!("{} overrides, but nothing is there that an override lifts: {}", over.by, over.reason);
        reasons.push(Reason::new(Code::OverrideUnused, text, deploys(&asked.service)));
    }
}

fn named<'a>(names: impl Iterator<Item = &'a str>, count: usize) -> String {
    let mut text = names.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if count > NAMED_MAX {
        text.push_str(&format!(" and {} more hosts", count - NAMED_MAX));
    }
    text
}

fn moment(ms: i64) -> String {
    let known = jiff::Timestamp::from_millisecond(ms);
    known.map_or_else(|_| format!("{ms} ms"), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// In the largest unit that it is more than one of.
fn duration(ms: i64) -> String {
    let (seconds, one) = (ms / 1_000, |unit: i64, name: &str, ms: i64| format!("{} {name}", ms / 1_000 / unit));
    match seconds {
        ..120 => one(1, "s", ms),
        120..7_200 => one(60, "min", ms),
        7_200..172_800 => one(3_600, "h", ms),
        _ => one(86_400, "days", ms),
    }
}
