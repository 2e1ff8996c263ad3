//! `muster discovery`: what hosts newly have, what is decided of it, and the rules that decide by themselves.

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use super::inventory::{list, printed, text};
use crate::arguments::{DecideArguments, DiscoveryArguments, DiscoveryRulesVerb, DiscoveryVerb, Output, RuleArguments};
use crate::client::Client;
use crate::error::Failure;
use crate::table::{Rows, plain};
use crate::time::relative;

const PATH: &str = "/api/muster/v1/discovery";
/// Items of one answer, and of one decision.
const PAGE: usize = 1_000;

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, asked: &DiscoveryArguments, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match &asked.verb {
        None => show(client, asked, output, now_ms).await,
        Some(DiscoveryVerb::Accept(of)) => decide(client, "accept", of, output).await,
        Some(DiscoveryVerb::Ignore(of)) => decide(client, "ignore", of, output).await,
        Some(DiscoveryVerb::Archive(of)) => decide(client, "archive", of, output).await,
        Some(DiscoveryVerb::Rules(verb)) => rules(client, verb, output, now_ms).await,
    }
}

async fn show(client: &Client, asked: &DiscoveryArguments, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let state = asked.state.map(|state| state.as_str().to_owned());
    let texts = [("state", state.as_ref()), ("kind", asked.kind.as_ref())];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let hosts = asked.hosts.iter().map(|host| ("host", host));
    let query: String = hosts.chain(texts).map(|(name, value)| format!("&{name}={}", escape(value))).collect();
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let (all, over, is_more) = collect(client, &query, limit).await?;
    let mut shown = match output {
        Output::Json => Printed::json(&json!({"version": 1, "items": all, "over": over})),
        Output::Csv => Printed::text(rows(&all, output, now_ms).to_csv()),
        Output::Table | Output::Raw => Printed::text(rows(&all, output, now_ms).to_table("nothing was found")),
    };
    if is_more {
        shown.notes.push(format!("these are the first {limit}, and there are more: --limit shows them"));
    }
    shown.notes.extend(list(&over).iter().map(|one| {
        let first: Vec<String> = list(&one["first"]).iter().map(text).collect();
        let told = format!(
            "{} has too many things: {} are not taken, such as {}",
            text(&one["host"]),
            one["count"],
            first.join(", ")
        );
        plain(&told)
    }));
    Ok(shown)
}

/// All items of a question, page by page, up to one more than the limit; and the hosts with too many of them.
async fn collect(client: &Client, query: &str, limit: usize) -> Result<(Vec<Value>, Value, bool), Failure> {
    let (mut all, mut place): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let after = place.as_ref().map(|place| format!("&after={}", escape(place))).unwrap_or_default();
        let mut answer = client.get(&format!("{PATH}?limit={PAGE}{query}{after}")).await?;
        if let Value::Array(items) = answer["items"].take() {
            all.extend(items);
        }
        place = answer["next"].as_str().map(str::to_owned);
        if place.is_none() || all.len() > limit {
            let is_more = all.len() > limit;
            all.truncate(limit);
            return Ok((all, answer["over"].take(), is_more));
        }
    }
}

async fn decide(client: &Client, decision: &str, asked: &DecideArguments, output: Output) -> Result<Printed, Failure> {
    let items: Vec<Value> = if asked.all {
        let (host, kind) = (asked.of_host.as_ref(), asked.kind.as_ref());
        if host.is_none() && kind.is_none() {
            return Err(Failure::Usage("--all of everything is too much: give --host, --kind or both".to_owned()));
        }
        let state = if decision == "archive" { "gone" } else { "proposed" };
        let of = [("host", host), ("kind", kind)].into_iter().filter_map(|(name, text)| Some((name, text?)));
        let query: String = of.map(|(name, value)| format!("&{name}={}", escape(value))).collect();
        let (found, ..) = collect(client, &format!("&state={state}{query}"), usize::MAX).await?;
        found.iter().map(|item| json!({"host": item["host_id"], "key": item["key"]})).collect()
    } else {
        let host = asked.host.as_deref().unwrap_or_default();
        asked.keys.iter().map(|key| json!({"host": host, "key": key})).collect()
    };
    let (mut rows, mut decided) = (Vec::new(), 0);
    for some in items.chunks(PAGE) {
        let body = json!({"items": some, "decision": decision, "reason": asked.reason});
        let mut answer = client.post_json(&format!("{PATH}/decide"), &body).await?;
        decided += answer["decided"].as_u64().unwrap_or(0);
        if let Value::Array(more) = answer["rows"].take() {
            rows.extend(more);
        }
    }
    Ok(match output {
        Output::Json => Printed::json(&json!({"version": 1, "decision": decision, "decided": decided, "rows": rows})),
        Output::Csv => {
            let mut table = Rows::new(&["HOST", "KEY", "DECISION"]);
            table.rows.extend(rows.iter().map(|row| vec![text(&row["host"]), text(&row["key"]), decision.to_owned()]));
            Printed::text(table.to_csv())
        }
        Output::Table | Output::Raw => Printed::text(format!("{} {}\n", counted(decided), done(decision))),
    })
}

const fn done(decision: &str) -> &'static str {
    match decision.as_bytes() {
        b"accept" => "accepted",
        b"ignore" => "ignored",
        _ => "archived",
    }
}

fn counted(items: u64) -> String {
    format!("{items} {}", if items == 1 { "item" } else { "items" })
}

async fn rules(client: &Client, verb: &DiscoveryRulesVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let path = |name: &str| format!("{PATH}/rules/{}", escape(name));
    match verb {
        DiscoveryRulesVerb::List => {
            let answer = client.get(&format!("{PATH}/rules")).await?;
            Ok(printed(&answer, output, rule_rows(list(&answer["rules"]), output, now_ms), "there are no rules"))
        }
        DiscoveryRulesVerb::Set { name, rule } => {
            let answer = client.put_json(&path(name), &body(rule)).await?;
            let matched = &answer["matched"]["items"];
            Ok(changed(
                &answer,
                output,
                now_ms,
                &format!("is set: {} waited for it", counted(matched.as_u64().unwrap_or(0))),
            ))
        }
        DiscoveryRulesVerb::Rm { name } => {
            Ok(changed(&client.delete(&path(name)).await?, output, now_ms, "is removed"))
        }
        DiscoveryRulesVerb::Test(rule) => {
            let answer = client.post_json(&format!("{PATH}/rules/test"), &body(rule)).await?;
            Ok(tested(&answer, output))
        }
    }
}

fn body(rule: &RuleArguments) -> Value {
    let action = if rule.accept { "accept" } else { "ignore" };
    json!({"kind": rule.kind, "items": rule.items, "hosts": rule.hosts, "action": action})
}

fn changed(answer: &Value, output: Output, now_ms: i64, what: &str) -> Printed {
    match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rule_rows(std::slice::from_ref(&answer["rule"]), output, now_ms).to_csv()),
        Output::Table | Output::Raw => {
            Printed::text(format!("rule {} {what}\n", plain(&text(&answer["rule"]["name"]))))
        }
    }
}

fn tested(answer: &Value, output: Output) -> Printed {
    let matched = &answer["matched"];
    let mut rows = Rows::new(&["HOST", "KEY", "WHAT"]);
    let first = list(&matched["first"]).iter();
    rows.rows.extend(first.map(|one| ["host", "key", "words"].map(|name| text(&one[name])).to_vec()));
    let mut shown = printed(answer, output, rows, "nothing that waits matches");
    let (items, hosts) = (matched["items"].as_u64().unwrap_or(0), &matched["hosts"]);
    if items > list(&matched["first"]).len() as u64 && output != Output::Json {
        shown.notes.push(format!("{} of {hosts} hosts match, of which these are the first", counted(items)));
    }
    shown
}

fn rule_rows(all: &[Value], output: Output, now_ms: i64) -> Rows {
    let mut rows = Rows::new(&["NAME", "ACTION", "KIND", "ITEMS", "HOSTS", "FROM", "MADE", "BY"]);
    for one in all {
        let joined = |name: &str| list(&one[name]).iter().map(text).collect::<Vec<_>>().join(", ");
        let from = match (text(&one["file"]), one["is_hidden"] == true) {
            (file, _) if !file.is_empty() => file,
            (_, true) => "hidden by a file".to_owned(),
            _ => "api".to_owned(),
        };
        let [name, action, kind, by] = ["name", "action", "kind", "by"].map(|key| text(&one[key]));
        let made = when(&one["made_ms"], output, now_ms);
        rows.rows.push(vec![name, action, kind, joined("items"), joined("hosts"), from, made, by]);
    }
    rows
}

fn when(ms: &Value, output: Output, now_ms: i64) -> String {
    match ms.as_i64() {
        Some(ms) if output != Output::Csv => relative(ms, now_ms),
        _ => text(ms),
    }
}

fn rows(all: &[Value], output: Output, now_ms: i64) -> Rows {
    let mut rows = Rows::new(&["HOST", "STATE", "KEY", "WHAT", "SINCE", "BY", "REASON"]);
    for one in all {
        let [host, state, key, words, by, reason] =
            ["host", "state", "key", "words", "by", "reason"].map(|name| text(&one[name]));
        let flaps = if one["is_flapping"] == true { " (comes and goes)" } else { "" };
        let since = when(&one["since_ms"], output, now_ms);
        rows.rows.push(vec![host, format!("{state}{flaps}"), key, words, since, by, reason]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Noun};

    fn parsed(words: &str) -> Result<DiscoveryArguments, String> {
        let words = ["muster", "discovery"].into_iter().chain(words.split_whitespace());
        match Arguments::try_parse_from(words).map_err(|error| error.to_string())?.noun {
            Noun::Discovery(asked) => Ok(asked),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn items_are_named_or_all_of_a_host_or_kind() {
        let Some(DiscoveryVerb::Accept(of)) =
            parsed("accept web1 unit:a.service port:tcp/80/x --reason ours").unwrap().verb
        else {
            panic!()
        };
        assert_eq!((of.host.as_deref(), of.keys.len(), of.reason.as_str(), of.all), (Some("web1"), 2, "ours", false));
        let Some(DiscoveryVerb::Ignore(of)) = parsed("ignore --all --host web1 --kind port").unwrap().verb else {
            panic!()
        };
        assert_eq!((of.host, of.of_host.as_deref(), of.kind.as_deref()), (None, Some("web1"), Some("port")));
        for bad in [
            "accept web1",
            "accept",
            "accept --all web1 unit:a",
            "ignore --kind port web1 unit:a",
            "--state new",
            "rules set a",
            "rules set a --accept --ignore",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        let asked = parsed("--host a --host b --state gone --kind unit").unwrap();
        assert_eq!((asked.hosts.len(), asked.state.map(|state| state.as_str())), (2, Some("gone")));
        let Some(DiscoveryVerb::Rules(DiscoveryRulesVerb::Set { name, rule })) =
            parsed("rules set web --accept --kind port --item port=80 --item process=x --match role=web").unwrap().verb
        else {
            panic!()
        };
        let expect =
            json!({"kind": "port", "items": ["port=80", "process=x"], "hosts": ["role=web"], "action": "accept"});
        assert_eq!((name.as_str(), body(&rule)), ("web", expect));
    }

    #[test]
    fn people_see_what_it_is_and_programs_when() {
        let one = json!({"host": "web1", "state": "gone", "key": "port:tcp/80/x\u{1b}[2J", "words": "tcp port 80", "since_ms": 60_000,
            "by": "muster", "reason": "", "is_flapping": true});
        let all = [one];
        assert_eq!(
            rows(&all, Output::Csv, 0).rows[0].join("|"),
            "web1|gone (comes and goes)|port:tcp/80/x\u{1b}[2J|tcp port 80|60000|muster|"
        );
        let table = rows(&all, Output::Table, 120_000).to_table("");
        assert!(!table.contains('\u{1b}') && table.contains("port:tcp/80/x"), "{table}");
        assert_eq!(rows(&[], Output::Table, 0).to_table("nothing was found"), "nothing was found\n");
    }

    #[test]
    fn rules_show_where_they_stand_and_what_they_match() {
        let rule = |file: Value, hidden: bool| {
            json!({"name": "a", "kind": null, "items": ["port=\"80\"", "process=\"x\""], "hosts": [], "action": "accept",
            "source": "api", "file": file, "is_hidden": hidden, "by": "user:ann", "made_ms": 5})
        };
        let all = [rule(Value::Null, false), rule(json!("/etc/r.yml"), false), rule(Value::Null, true)];
        let shown: Vec<String> = rule_rows(&all, Output::Csv, 0).rows.iter().map(|row| row.join("|")).collect();
        let line = |from: &str| format!("a|accept||port=\"80\", process=\"x\"||{from}|5|user:ann");
        assert_eq!(shown, [line("api"), line("/etc/r.yml"), line("hidden by a file")]);
        let first = json!([{"host": "web1", "key": "unit:a", "words": "unit a"}]);
        let answer = json!({"matched": {"items": 3, "hosts": 2, "first": first}});
        let shown = tested(&answer, Output::Csv);
        assert_eq!(shown.notes, ["3 items of 2 hosts match, of which these are the first"]);
        assert!(shown.text.contains("web1,unit:a,unit a"), "{}", shown.text);
        let set = changed(&json!({"rule": rule(Value::Null, false)}), Output::Table, 0, "is removed");
        assert_eq!(set.text, "rule a is removed\n");
    }
}
