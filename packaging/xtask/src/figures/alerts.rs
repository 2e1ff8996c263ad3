//! Alerting: its simulator, what rules and checks cost, how soon mail comes and how large it is.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use super::trials::simulator_rows;
use crate::bench::{self, Values};

/// All figures of checks, rules, alerts and mail.
pub(crate) fn alert_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let seeds = if quick { 1_000 } else { 10_000 };
    let mut rows = simulator_rows(programs, ["sim-alert", "planted-alert"], "alert simulator", seeds)?;
    rows.extend(storm_rows(&bench::trial(programs, &["storms"])?));
    rows.push(rules_row(&bench::trial(programs, &["rules-bench", "--rounds", "5"])?));
    let (product, count) = (programs.to_string_lossy(), if quick { "50" } else { "200" });
    let values = bench::trial(programs, &["alert-latency", "--programs", &product, "--count", count])?;
    rows.extend(mail_rows(&values));
    rows.push(pushed_row(&values));
    let kills = if quick { "10" } else { "40" };
    rows.push(mail_kill_row(&bench::trial(programs, &["mail-kills", "--programs", &product, "--count", kills])?));
    let seconds = if quick { "60" } else { "180" };
    rows.push(native_row(&bench::trial(programs, &["native-checks", "--programs", &product, "--seconds", seconds])?));
    Ok(rows)
}

/// A value that the trial did not tell passes no goal.
fn get(values: &Values, key: &str) -> f64 {
    values.get(key).copied().unwrap_or(f64::NAN)
}

/// Letters to a recipient where the same happens to many at once.
fn storm_rows(values: &Values) -> [Row; 3] {
    let [upgrade, gateway, check, silent, back] =
        ["upgrade", "gateway", "check", "silent", "back"].map(|key| get(values, key));
    let load = "simulator, real fleet, status, dispatcher and queue";
    [
        row(
            "500 agents upgraded, collector restarted in the middle",
            "0 mails",
            format!("{upgrade}"),
            load,
            Some(upgrade == 0.0),
        ),
        row(
            "parent of 100 children down and up",
            "2 mails",
            format!("{gateway} (a host), {check} (a check)"),
            load,
            Some(gateway == 2.0 && check == 2.0),
        ),
        row(
            "500 hosts silent at once",
            "<= 3 mails a recipient in 10 minutes",
            format!("{silent}, {back} at their return"),
            load,
            Some((1.0..=3.0).contains(&silent) && back <= 3.0),
        ),
    ]
}

fn rules_row(values: &Values) -> Row {
    let (seconds, failures) = (get(values, "mean_cpu_s"), get(values, "failures"));
    let load = format!("{} rules over {} series in a store, mean of 5", get(values, "rules"), get(values, "series"));
    let value = format!("{seconds:.2} CPU-s, {failures} failed");
    row("a round of rules", "< 1.5 s CPU a round", value, &load, Some(seconds < 1.5 && failures == 0.0))
}

fn mail_rows(values: &Values) -> [Row; 2] {
    let [count, p99, readable, largest] =
        ["count", "p99_ms", "readable", "largest_mail_bytes"].map(|key| get(values, key));
    let load = format!("{count} results pushed one after the other, agent, collector and mail server on this host");
    let value =
        format!("p50 {:.0} ms, p99 {p99:.0} ms, longest {:.0} ms", get(values, "p50_ms"), get(values, "max_ms"));
    let size = format!("{:.1} kB, {readable} of {count} readable", largest / 1_000.0);
    [
        row("check turned hard until its mail is taken", "p99 < 1 s", value, &load, Some(p99 < 1_000.0)),
        row(
            "largest mail",
            "<= 200 kB, all readable",
            size,
            "the same mails",
            Some(largest <= 200_000.0 && readable == count),
        ),
    ]
}

/// How long whoever pushes a result waits: the agent looks once a second.
fn pushed_row(values: &Values) -> Row {
    let pushed = format!("p50 {:.0} ms, p99 {:.0} ms", get(values, "pushed_p50_ms"), get(values, "pushed_p99_ms"));
    row("result pushed until its mail is taken", "", pushed, "the same mails", None)
}

fn mail_kill_row(values: &Values) -> Row {
    let get = |key: &str| get(values, key);
    let value = format!(
        "lost {}, second Message-IDs {}, repeats {} under the first one",
        get("lost"),
        get("second_ids"),
        get("repeats")
    );
    let load = format!(
        "{} alerts, {} kills, {} of them at a system call; server away, greylisting, hanging up, losing replies",
        get("alerts"),
        get("kills"),
        get("at_calls")
    );
    let is_kept = get("lost") == 0.0 && get("second_ids") == 0.0 && get("at_calls") >= 5.0;
    let goal = "every mail at least once, repeats only with the Message-ID of the first copy";
    row("kill -9 of the collector while it mails", goal, value, &load, Some(is_kept))
}

fn native_row(values: &Values) -> Row {
    let hourly = get(values, "hourly_cpu_s");
    let load = format!(
        "{} a minute of {} kinds, from {} results; an agent with them less one without, sending included",
        get(values, "checks"),
        get(values, "kinds"),
        get(values, "runs")
    );
    row("native checks, agent CPU", "<= 2 CPU-s an hour", format!("{hourly:.2}"), &load, Some(hourly <= 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: &[(&str, f64)]) -> Values {
        of.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
    }

    #[test]
    fn what_was_not_told_or_failed_does_not_pass() {
        let short = |row: &Row| row.line("c").ends_with("SHORT |");
        assert!(short(&rules_row(&values(&[]))) && short(&native_row(&values(&[]))));
        assert!(mail_rows(&values(&[])).iter().all(short) && storm_rows(&values(&[])).iter().all(short));
        let rules = |failures| rules_row(&values(&[("mean_cpu_s", 0.4), ("failures", failures)]));
        assert!(!short(&rules(0.0)) && short(&rules(1.0)));
        let mails = |readable| {
            let told = [("count", 9.0), ("p99_ms", 90.0), ("readable", readable), ("largest_mail_bytes", 200_000.0)];
            mail_rows(&values(&told)).map(|row| short(&row))
        };
        assert_eq!((mails(9.0), mails(8.0)), ([false, false], [false, true]));
    }
}
