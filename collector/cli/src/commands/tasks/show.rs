//! Orders, catalogues and output as tables.

use serde_json::Value;

use super::super::Printed;
use super::super::inventory::{list, printed, text as raw};
use crate::arguments::Output;
use crate::table::{Rows, plain};
use crate::time::{coarse, moment, relative};

/// States in which an order stays.
const OVER: [&str; 5] = ["done", "stopped", "rolled_back", "expired", "cancelled"];

pub(super) fn is_over(order: &Value) -> bool {
    OVER.iter().any(|state| order["state"] == *state)
}

/// Whether it went otherwise than it was wanted.
fn is_problem(order: &Value) -> bool {
    is_over(order) && (order["state"] != "done" || order["failures"].as_u64().unwrap_or(0) > 0)
        || order["state"] == "paused"
}

pub(super) fn or_json(answer: &Value, output: Output, make: impl FnOnce() -> String) -> Printed {
    if output == Output::Json { Printed::json(answer) } else { Printed::text(make()) }
}

fn text(value: &Value) -> String {
    plain(&raw(value))
}

fn time(value: &Value, output: Output, now_ms: i64) -> String {
    match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => relative(at_ms, now_ms),
        (None, _) => String::new(),
    }
}

fn state(order: &Value) -> String {
    text(&order["state"]).replace('_', " ")
}

/// `41 ok, 2 failed`, in the order in which hosts go through them.
pub(super) fn counts_text(counts: &Value) -> String {
    const STATES: [&str; 9] = ["ok", "failed", "refused", "lost", "cancelled", "skipped", "running", "sent", "waiting"];
    let some = STATES.iter().filter_map(|state| Some((state, counts[*state].as_u64().filter(|count| *count > 0)?)));
    some.map(|(state, count)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
}

pub(super) fn orders(answer: &Value, output: Output, now_ms: i64) -> Rows {
    let mut rows = Rows::new(&[">ORDER", "TASK", "STATE", ">HOSTS", "HOW", "BY", "MADE", "REASON"]);
    for one in list(&answer["orders"]) {
        let counts = if one["step"] == 1 { &one["back_counts"] } else { &one["counts"] };
        rows.rows.push(vec![
            text(&one["order"]),
            text(&one["task"]),
            state(one),
            text(&one["hosts"]),
            counts_text(counts),
            text(&one["by"]),
            time(&one["made_ms"], output, now_ms),
            text(&one["reason"]),
        ]);
    }
    rows
}

/// An order and its hosts.
pub(super) fn order(answer: &Value, output: Output, now_ms: i64) -> Printed {
    let order = &answer["order"];
    let is_problem = is_problem(order);
    let mut rows = Rows::new(&["HOST", "STATE", ">WAVE", ">EXIT", "ENDED", "WELL", "BACK", "WHY"]);
    for one in list(&answer["hosts"]) {
        let (run, back) = (&one["run"], &one["back"]);
        let name = if one["host"].is_null() { &one["id"] } else { &one["host"] };
        let well = match run["well"].as_bool() {
            Some(true) => "yes",
            Some(false) if run["state"] == "ok" => "no",
            _ => "",
        };
        let why = if back["why"].is_null() { &run["why"] } else { &back["why"] };
        rows.rows.push(vec![
            text(name),
            text(&run["state"]),
            run["wave"].as_u64().map_or_else(String::new, |wave| (wave + 1).to_string()),
            text(&run["exit"]),
            time(&run["ended_ms"], output, now_ms),
            well.to_owned(),
            text(&back["state"]),
            text(why),
        ]);
    }
    if output != Output::Table {
        return Printed { is_problem, ..printed(answer, output, rows, "") };
    }
    let mut out = head(order, now_ms);
    out += &maintenances(order, list(&answer["maintenances"]));
    out.push('\n');
    out += &rows.to_table("it has no hosts");
    Printed { text: out, notes: Vec::new(), is_unknown: false, is_problem }
}

fn head(order: &Value, now_ms: i64) -> String {
    let back = order["back"].as_str().map(|back| format!(", taken back by {}", plain(back))).unwrap_or_default();
    let mut out =
        format!("order {}: {} on {} hosts{back}\n", text(&order["order"]), text(&order["task"]), text(&order["hosts"]));
    let why = order["why"].as_str().map(|why| format!(": {}", plain(why))).unwrap_or_default();
    out += &format!("{}{why}\n{}\n", state(order), super::progress::bar(order));
    let reason = order["reason"].as_str().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
    out += &format!("asked for by {} {}{reason}\n", text(&order["by"]), time(&order["made_ms"], Output::Table, now_ms));
    let approvals: Vec<String> = list(&order["approvals"])
        .iter()
        .map(|one| {
            let known = if one["verified"] == true { "" } else { " (the collector does not know the key)" };
            format!("{} with the key of {}{known}", text(&one["by"]), text(&one["approver"]))
        })
        .collect();
    out += &match (approvals.len() as u64, order["needs"].as_u64().unwrap_or(0)) {
        (0, 0) => "needs no approval\n".to_owned(),
        (given, needs) if given < needs => {
            format!(
                "{given} of {needs} approvals: muster task approve {} --key FILE --as NAME\n",
                text(&order["order"])
            )
        }
        _ => format!("approved by {}\n", approvals.join(", ")),
    };
    let expires = order["expires_ms"].as_i64().map(moment).unwrap_or_default();
    out + &format!("hosts begin it until {expires}\n")
}

/// What is kept back of its hosts, and which maintenance does: those that are not closed each on a line.
fn maintenances(order: &Value, all: &[Value]) -> String {
    let of = |key: &str| order[key].as_u64().map(coarse);
    let mut out = match (of("maintenance_ms"), of("back_maintenance_ms")) {
        (None, None) => return String::new(),
        (Some(span), None) => format!("hosts are in a maintenance meanwhile; health may take {span} to return\n"),
        (None, Some(span)) => {
            format!("hosts are in a maintenance while it is taken back; health may take {span} to return\n")
        }
        (Some(span), Some(back)) => format!(
            "hosts are in a maintenance meanwhile; health may take {span} to return, {back} when it is taken back\n"
        ),
    };
    out += &order["unmaintained"].as_str().map(|why| format!("no maintenance: {}\n", plain(why))).unwrap_or_default();
    let (closed, open): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|one| one["state"] == "closed");
    for one in open {
        let left = list(&one["unreturned"]).len();
        let left = if left == 0 { String::new() } else { format!(", {left} not returned") };
        out += &format!("maintenance {} ({}) is {}{left}\n", text(&one["id"]), text(&one["reference"]), state(one));
    }
    out + &match closed.len() {
        0 => String::new(),
        1 => "1 maintenance is closed: health has returned\n".to_owned(),
        count => format!("{count} maintenances are closed: health has returned\n"),
    }
}

/// One line of what an order is now.
pub(super) fn steered(answer: &Value, output: Output) -> Printed {
    let order = &answer["order"];
    or_json(answer, output, || {
        let why = order["why"].as_str().map(|why| format!(": {}", plain(why))).unwrap_or_default();
        let next = if order["state"] == "requested" {
            format!("; somebody else approves it: muster task approve {} --key FILE --as NAME", text(&order["order"]))
        } else {
            String::new()
        };
        format!("order {} is {}{why}{next}\n", text(&order["order"]), state(order))
    })
}

pub(super) fn catalogue(answer: &Value, output: Output, now_ms: i64) -> Printed {
    let catalogue = &answer["catalogue"];
    let mut rows = Rows::new(&["TASK", "ACCOUNT", "PARAMETERS", "COMMAND", "MAINTENANCE", "ABOUT"]);
    for one in list(&catalogue["tasks"]) {
        let parameters: Vec<String> = list(&one["parameters"])
            .iter()
            .map(|parameter| format!("{} ({})", text(&parameter["name"]), text(&parameter["kind"])))
            .collect();
        let argv: Vec<String> = list(&one["argv"]).iter().map(text).collect();
        rows.rows.push(vec![
            text(&one["task"]),
            text(&one["account"]),
            parameters.join(", "),
            argv.join(" "),
            one["maintenance_ms"].as_u64().map(coarse).unwrap_or_default(),
            text(&one["about"]),
        ]);
    }
    let mut printed = printed(answer, output, rows, "there is no catalogue of tasks, or it has none");
    if !catalogue.is_null() {
        let signer = match catalogue["signer"].as_str() {
            Some(signer) => format!("signed by {}", plain(signer)),
            None => "signed by a key that the collector does not know".to_owned(),
        };
        let expires = catalogue["expires_ms"].as_i64().map(|at_ms| relative(at_ms, now_ms)).unwrap_or_default();
        printed.notes.push(format!(
            "version {}, {signer}, expires {expires}; in force on {} hosts",
            text(&catalogue["catalogue_version"]),
            text(&catalogue["taken"])
        ));
        for one in list(&catalogue["refused"]).iter().take(20) {
            printed.notes.push(format!("{} refused it: {}", text(&one["host"]), text(&one["why"])));
        }
    }
    printed
}

pub(super) fn output(answer: &Value, output: Output) -> Printed {
    let wrote = raw(&answer["text"]);
    let lines: String = wrote.lines().map(|line| plain(line) + "\n").collect();
    let mut printed = or_json(answer, output, || lines);
    if let Some(dropped) = answer["dropped_bytes"].as_u64().filter(|dropped| *dropped > 0) {
        printed.notes.push(format!("{dropped} of {} bytes are not kept", text(&answer["output_bytes"])));
    }
    printed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_is_shown_with_what_is_to_be_done_and_its_hosts() {
        let answer = json!({
            "order": {
                "order": 7, "task": "restart", "back": null, "state": "requested", "step": 0, "wave": 0, "hosts": 2, "why": null,
                "counts": {"waiting": 2}, "back_counts": {}, "failures": 0, "by": "user:ann", "reason": "new certificate",
                "made_ms": 0, "approvals": [], "needs": 1, "expires_ms": 3_600_000,
            },
            "hosts": [{"id": "x", "host": "web1", "run": {"state": "waiting", "wave": null, "why": null}, "back": null}],
        });
        let printed = order(&answer, Output::Table, 60_000);
        assert!(printed.text.starts_with("order 7: restart on 2 hosts\nrequested\n["), "{}", printed.text);
        assert!(
            printed.text.contains("0 of 1 approvals: muster task approve 7 --key FILE --as NAME\n"),
            "{}",
            printed.text
        );
        assert!(printed.text.contains("web1") && !printed.is_problem);
        let mut maintained = answer.clone();
        maintained["order"]["maintenance_ms"] = 600_000.into();
        let one = |id: u64, state: &str, left: Value| json!({"id": id, "reference": format!("task 7 wave {id}"), "state": state, "unreturned": left});
        maintained["maintenances"] =
            json!([one(3, "open", json!([])), one(2, "not_recovered", json!([{}])), one(1, "closed", json!([]))]);
        let printed = order(&maintained, Output::Table, 60_000);
        for line in [
            "hosts are in a maintenance meanwhile; health may take 10m to return\n",
            "\nmaintenance 3 (task 7 wave 3) is open\nmaintenance 2 (task 7 wave 2) is not recovered, 1 not returned\n",
            "\n1 maintenance is closed: health has returned\n",
        ] {
            assert!(printed.text.contains(line), "{line}: {}", printed.text);
        }
        let mut paused = answer;
        paused["order"]["state"] = "paused".into();
        paused["order"]["why"] = "1 of 1 canaries failed\u{1b}[2J".into();
        let printed = order(&paused, Output::Table, 60_000);
        assert!(printed.is_problem && !printed.text.contains('\u{1b}'));
    }

    #[test]
    fn output_is_shown_line_by_line_and_what_is_missing_is_said() {
        let answer = json!({"text": "a\u{1b}[31m\nb", "output_bytes": 90, "dropped_bytes": 40});
        let printed = output(&answer, Output::Table);
        assert!(printed.text.ends_with("\nb\n") && !printed.text.contains('\u{1b}'));
        assert_eq!(printed.notes, ["40 of 90 bytes are not kept"]);
    }
}
