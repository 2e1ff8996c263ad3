//! `muster hosts processes`: which processes used most of a host, now or at a moment of the last day.

use serde_json::Value;

use super::Printed;
use super::hosts::escape;
use crate::arguments::{Output, ProcessOrder};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;
use crate::time::{coarse, moment, parse_moment, relative};

/// # Errors
/// [`Failure`] in the collector's words, or when `at` is no time.
pub async fn run(
    client: &Client,
    (host, at, by): (&str, Option<&str>, ProcessOrder),
    output: Output,
    now_ms: i64,
) -> Result<Printed, Failure> {
    let at = at.map(|at| parse_moment(at, now_ms)).transpose()?;
    let query = at.map(|at_ms| format!("?at={at_ms}")).unwrap_or_default();
    let answer = client.get(&format!("/api/muster/v1/hosts/{}/processes{query}", escape(host))).await?;
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(rows(&answer, by, output).to_csv()),
        Output::Table | Output::Raw => Printed::text(shown(&answer, by, output, now_ms)),
    })
}

/// When it was looked, how many there were, and the list.
fn shown(answer: &Value, by: ProcessOrder, output: Output, now_ms: i64) -> String {
    if let Some(note) = answer["note"].as_str() {
        return format!("{note}\n");
    }
    let looked_ms = answer["looked_at_ms"].as_i64().unwrap_or(0);
    let count = |name: &str| answer["totals"][name].as_u64().unwrap_or(0);
    let span = coarse(answer["span_ms"].as_u64().unwrap_or(0));
    let mut head = format!("{} ({}), over the {span} before", moment(looked_ms), relative(looked_ms, now_ms));
    if answer["covers"] == false {
        head.push_str("; nothing is known of the moment asked for, this is the nearest");
    }
    let (all, running) = (count("seen") + count("unseen"), count("running"));
    head.push_str(&format!(
        "\n{all} processes, {running} running, {} waiting for a disk, {} zombies",
        count("blocked"),
        count("zombies")
    ));
    if count("unseen") > 0 {
        head.push_str(&format!("; {} of them were not looked at, since that took too long", count("unseen")));
    }
    format!("{head}\n{}", rows(answer, by, output).to_table("none of them used anything"))
}

fn rows(answer: &Value, by: ProcessOrder, output: Output) -> Rows {
    let mut rows =
        Rows::new(&["PID", "USER", "S", "CPU %", "MEMORY", "READ/S", "WRITTEN/S", "THREADS", "NAME", "COMMAND"]);
    let mut processes = answer["processes"].as_array().cloned().unwrap_or_default();
    let number = |process: &Value, key: &str| process[key].as_f64().unwrap_or(0.0);
    let used = |process: &Value| match by {
        ProcessOrder::Cpu => number(process, "cpu_percent"),
        ProcessOrder::Memory => number(process, "rss_bytes"),
        ProcessOrder::Io => number(process, "read_bytes_per_second") + number(process, "written_bytes_per_second"),
    };
    // Stable: of those that use as much the collector's order stays.
    processes.sort_by(|a, b| used(b).total_cmp(&used(a)));
    for process in &processes {
        let bytes = |key: &str| match (process[key].as_u64(), output) {
            (None, Output::Csv) => String::new(),
            (None, _) => "-".to_owned(),
            (Some(bytes), Output::Table) => sized(bytes),
            (Some(bytes), _) => bytes.to_string(),
        };
        let text = |key: &str| process[key].as_str().unwrap_or("").to_owned();
        let cpu = process["cpu_percent"].as_f64().map(|percent| format!("{percent:.1}"));
        let unknown = if output == Output::Csv { "" } else { "-" };
        rows.rows.push(vec![
            process["pid"].to_string(),
            text("user"),
            text("state"),
            cpu.unwrap_or_else(|| unknown.to_owned()),
            bytes("rss_bytes"),
            bytes("read_bytes_per_second"),
            bytes("written_bytes_per_second"),
            process["threads"].to_string(),
            text("name"),
            command(process),
        ]);
    }
    rows
}

/// The command, and how many arguments are not shown.
fn command(process: &Value) -> String {
    let command = process["command"].as_str().unwrap_or("");
    match process["arguments"].as_u64() {
        // With its arguments it holds blanks.
        Some(arguments @ 1..) if !command.contains(' ') => format!("{command} (+{arguments})"),
        _ => command.to_owned(),
    }
}

/// `1.2 GiB`: three digits at most, as people compare them.
fn sized(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1_024.0;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_030_000;

    fn answer() -> Value {
        json!({
            "version": 1, "host": "web1", "state": "known", "looked_at_ms": NOW - 12_000, "age_ms": 12_000, "span_ms": 30_000,
            "interval_ms": 30_000, "covers": true,
            "totals": {"seen": 150, "unseen": 0, "running": 2, "blocked": 1, "zombies": 0},
            "processes": [
                {"pid": 77, "name": "sh", "command": "sh", "arguments": 2, "user": "web", "state": "R", "threads": 1, "started_ms": 5,
                 "cpu_percent": 99.87, "rss_bytes": 1_048_576, "read_bytes_per_second": null, "written_bytes_per_second": null},
                {"pid": 9, "name": "postgres", "command": "postgres -D /data", "arguments": 2, "user": "db", "state": "S", "threads": 12,
                 "started_ms": 5, "cpu_percent": null, "rss_bytes": 5_368_709_120_u64, "read_bytes_per_second": 0, "written_bytes_per_second": 20_480},
            ],
        })
    }

    #[test]
    fn processes_stand_under_when_and_how_many() {
        assert_eq!(
            shown(&answer(), ProcessOrder::Cpu, Output::Table, NOW),
            "\
2023-11-14 22:13:38 UTC (12s ago), over the 30s before
150 processes, 2 running, 1 waiting for a disk, 0 zombies
PID  USER  S  CPU %  MEMORY   READ/S  WRITTEN/S  THREADS  NAME      COMMAND
77   web   R  99.9   1.0 MiB  -       -          1        sh        sh (+2)
9    db    S  -      5.0 GiB  0 B     20 KiB     12       postgres  postgres -D /data
"
        );
        let first = |by| rows(&answer(), by, Output::Csv).rows[0][0].clone();
        let orders = [ProcessOrder::Cpu, ProcessOrder::Memory, ProcessOrder::Io];
        assert_eq!(orders.map(first), ["77", "9", "9"]);
        assert_eq!(
            rows(&answer(), ProcessOrder::Io, Output::Csv).to_csv().lines().last().unwrap(),
            "77,web,R,99.9,1048576,,,1,sh,sh (+2)"
        );
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut answer = answer();
        answer["covers"] = json!(false);
        answer["totals"]["unseen"] = json!(7);
        let text = shown(&answer, ProcessOrder::Cpu, Output::Table, NOW);
        assert!(
            text.contains("; nothing is known of the moment")
                && text.contains("157 processes")
                && text.contains("7 of them were not"),
            "{text}"
        );
        let off = json!({"state": "off", "note": "is switched off", "processes": []});
        assert_eq!(shown(&off, ProcessOrder::Cpu, Output::Table, NOW), "is switched off\n");
    }

    #[test]
    fn sizes_have_three_digits_at_most() {
        let sizes = [0, 1_023, 1_024, 1_048_575, 999_424_000, u64::MAX].map(sized);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "953 MiB", "16384 PiB"]);
    }
}
