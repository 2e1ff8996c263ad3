//! `muster status`: how the collector is; exit code 1 when it says that something is wrong.

use serde_json::Value;

use super::Printed;
use crate::arguments::{Output, Shown};
use crate::client::Client;
use crate::error::Failure;
use crate::plot::short;
use crate::table::Rows;
use crate::time::{coarse, moment};

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, show: Option<Shown>, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let answer = client.get("/api/muster/v1/status").await?;
    if let Some(show) = show {
        return Ok(shown(&answer["https"], show));
    }
    let mut printed = match output {
        Output::Json => Printed::json(&answer),
        Output::Csv => Printed::text(numbers(&answer, |_| true).to_csv()),
        Output::Table | Output::Raw => Printed::text(page(&answer, now_ms)),
    };
    printed.is_problem = is_problem(&answer);
    Ok(printed)
}

/// The one thing, whatever else is wrong with the collector; a problem where it has no such thing.
fn shown(https: &Value, show: Shown) -> Printed {
    let (key, none) = match show {
        Shown::Pin => {
            ("pin", "the collector speaks no HTTPS: set http.listen to an address of the network, or http.tls")
        }
        Shown::Ca => {
            ("ca_pem", "the collector's HTTPS has no certificate of its own CA: its certificate is that of http.cert")
        }
    };
    match https[key].as_str() {
        Some(text) => Printed::text(format!("{}\n", text.trim_end())),
        None => Printed { notes: vec![none.to_owned()], is_problem: true, ..Printed::default() },
    }
}

fn is_problem(answer: &Value) -> bool {
    let collector = &answer["collector"];
    collector["is_ready"] != Value::Bool(true)
        || collector["problems"].as_array().is_none_or(|problems| !problems.is_empty())
}

/// A page for a person: how it is, who sends, what was dropped, the store's and ingest's gauges.
fn page(answer: &Value, now_ms: i64) -> String {
    let collector = &answer["collector"];
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let uptime = collector["started_ms"].as_i64().map_or("?".to_owned(), |start_ms| coarse(now_ms.abs_diff(start_ms)));
    let state = if is_problem(answer) { "NOT WELL" } else { "well" };
    let mut out = format!("collector  {}, up {uptime}, {state}\n", text(&collector["version"]));
    for problem in collector["problems"].as_array().into_iter().flatten() {
        let (what, place, remedy) = (text(&problem["message"]), text(&problem["where"]), text(&problem["remedy"]));
        out.push_str(&format!("  problem  {what} ({place}): {remedy}\n"));
    }
    out.push_str(&restored(&answer["restored"]));
    let addresses = &answer["addresses"];
    out.push_str(&format!("listens    HTTP {}, agents {}\n", text(&addresses["http"]), text(&addresses["agents"])));
    out.push_str(&https(&answer["https"]));
    out.push_str(&format!("hosts      {}\n", hosts(&answer["hosts"])));
    let dropped = rows(answer["drops"].as_array().map_or(&[][..], Vec::as_slice));
    out.push_str("\ndropped since the start\n");
    out.push_str(&indent(&dropped.to_table("nothing")));
    out.push_str("\nnow\n");
    out.push_str(&indent(&numbers(answer, is_gauge).to_table("no numbers")));
    out
}

/// By what others may know its HTTPS, where it is spoken.
fn https(https: &Value) -> String {
    let Some(pin) = https["pin"].as_str() else { return String::new() };
    let whose = if https["is_own_ca"] == Value::Bool(true) { "the collector's own CA" } else { "http.cert" };
    let end = https["expires_ms"].as_i64().map_or("?".to_owned(), moment);
    format!("https      pin {pin}, certificate of {whose} until {end}\n")
}

/// A line when the data folder was once put back or lost its inbox.
fn restored(restored: &Value) -> String {
    let Some(to_ms) = restored["to_ms"].as_i64() else { return String::new() };
    let between = match restored["from_ms"].as_i64() {
        Some(from_ms @ 1..) => format!("between {} and {}", moment(from_ms), moment(to_ms)),
        _ => format!("before {}", moment(to_ms)),
    };
    let why = restored["text"].as_str().unwrap_or("?");
    format!("restored   what was acknowledged {between} may be missing: {why}\n")
}

fn hosts(hosts: &Value) -> String {
    let parts = |group: &Value| -> Vec<String> {
        let counts = group.as_object().into_iter().flatten();
        let counts = counts.filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
        counts.map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect()
    };
    let (state, presence) = (parts(&hosts["by_state"]), parts(&hosts["by_presence"]));
    if state.is_empty() {
        return "none yet: `muster token new --name NAME` makes a token for the first".to_owned();
    }
    if presence.is_empty() {
        state.join(", ")
    } else {
        format!("{}; of the active {}", state.join(", "), presence.join(", "))
    }
}

fn is_gauge(number: &Value) -> bool {
    let name = number["name"].as_str().unwrap_or("");
    !["_total", "_info", "_time_seconds", "_timestamp_seconds"].iter().any(|end| name.ends_with(end))
}

fn numbers(answer: &Value, shown: impl Fn(&Value) -> bool) -> Rows {
    let all = answer["numbers"].as_array().map_or(&[][..], Vec::as_slice);
    let kept: Vec<Value> = all.iter().filter(|number| shown(number)).cloned().collect();
    rows(&kept)
}

fn rows(numbers: &[Value]) -> Rows {
    let mut rows = Rows::new(&["NUMBER", ">VALUE", "MEANING"]);
    for number in numbers {
        let name = number["name"].as_str().unwrap_or("");
        let name = name.strip_prefix("muster_collector_").unwrap_or(name);
        let labels = number["labels"].as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or(""))).collect();
        let name = if labels.is_empty() { name.to_owned() } else { format!("{name} {}", labels.join(" ")) };
        let value = number["value"].as_f64().unwrap_or(f64::NAN);
        rows.rows.push(vec![name, short(value), number["help"].as_str().unwrap_or("").to_owned()]);
    }
    rows
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn answer() -> Value {
        json!({
            "version": 1,
            "collector": {"version": "0.1.0", "started_ms": NOW - 7_505_000, "is_ready": true, "problems": []},
            "addresses": {"http": "127.0.0.1:9470", "agents": "0.0.0.0:9471"},
            "hosts": {"by_state": {"active": 3, "pending": 1, "retired": 0}, "by_presence": {"up": 2, "agent_stopped": 1}},
            "drops": [{"name": "muster_collector_queries_dropped_total", "help": "Queries not answered.", "labels": {"reason": "queue_full"}, "value": 2.0}],
            "numbers": [
                {"name": "muster_collector_series", "help": "Series in the head.", "labels": {}, "value": 12345.0},
                {"name": "muster_collector_samples_total", "help": "Samples.", "labels": {}, "value": 1e9},
            ],
        })
    }

    #[test]
    fn the_page_shows_by_what_https_is_known() {
        let https = json!({"pin": "sha256//x=", "is_own_ca": true, "expires_ms": NOW});
        let told = page(&json!({"https": https}), NOW);
        let expect = "https      pin sha256//x=, certificate of the collector's own CA until 2023-11-14 22:13:20 UTC\n";
        assert!(told.contains(expect), "{told}");
    }

    #[test]
    fn a_part_is_shown_alone_and_one_that_is_not_there_is_a_problem() {
        let https = json!({"pin": "sha256//x=", "ca_pem": null});
        assert_eq!(shown(&https, Shown::Pin), Printed::text("sha256//x=\n"));
        for (https, show, told) in [(&https, Shown::Ca, "http.cert"), (&Value::Null, Shown::Pin, "set http.listen")] {
            let none = shown(https, show);
            assert!(none.is_problem && none.text.is_empty() && none.notes[0].contains(told), "{none:?}");
        }
    }

    #[test]
    fn one_page_says_how_it_is() {
        assert_eq!(
            page(&answer(), NOW),
            "\
collector  0.1.0, up 2h5m, well
listens    HTTP 127.0.0.1:9470, agents 0.0.0.0:9471
hosts      3 active, 1 pending; of the active 1 agent stopped, 2 up

dropped since the start
  NUMBER                                   VALUE  MEANING
  queries_dropped_total reason=queue_full      2  Queries not answered.

now
  NUMBER   VALUE  MEANING
  series  12.35k  Series in the head.
"
        );
    }

    #[test]
    fn a_restore_is_one_line_with_what_may_be_missing() {
        let mut answer = answer();
        answer["restored"] = Value::Null;
        assert!(!page(&answer, NOW).contains("restored"));
        answer["restored"] =
            json!({"from_ms": NOW - 60_000, "to_ms": NOW, "text": "the inbox was missing at the start"});
        let told = page(&answer, NOW);
        assert!(
            told.contains("\nrestored   what was acknowledged between 2023-11-14 22:12:20 UTC and 2023-11-14 22:13:20 UTC may be missing: the inbox was missing at the start\n"),
            "{told}"
        );
        answer["restored"]["from_ms"] = json!(0);
        assert!(page(&answer, NOW).contains("acknowledged before 2023-11-14 22:13:20 UTC may"));
    }

    #[test]
    fn a_problem_stands_on_top_and_is_exit_code_1() {
        let mut answer = answer();
        assert!(!is_problem(&answer));
        answer["collector"]["problems"] =
            json!([{"message": "no commit", "where": "inbox", "remedy": "look at the disk"}]);
        assert!(is_problem(&answer));
        let page = page(&answer, NOW);
        assert!(
            page.starts_with("collector  0.1.0, up 2h5m, NOT WELL\n  problem  no commit (inbox): look at the disk\n"),
            "{page}"
        );
        answer["collector"] = json!({"is_ready": false, "problems": []});
        assert!(is_problem(&answer));
    }

    #[test]
    fn nothing_dropped_and_no_host_are_said() {
        let mut answer = answer();
        (answer["drops"], answer["hosts"]) = (json!([]), json!({"by_state": {"active": 0}, "by_presence": {}}));
        let page = page(&answer, NOW);
        assert!(page.contains("dropped since the start\n  nothing\n"), "{page}");
        assert!(page.contains("hosts      none yet: `muster token new"), "{page}");
    }
}
