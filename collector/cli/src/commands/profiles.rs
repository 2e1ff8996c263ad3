//! `muster plan|apply` and `muster profiles`.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use super::inventory::{list, printed, text as raw};
use crate::arguments::{ApplyArguments, ChangeArguments, Output, ProfilesVerb};
use crate::client::Client;
use crate::error::Failure;
use crate::table::{Rows, plain};
use crate::time::{moment, relative};

const PATH: &str = "/api/muster/v1/profiles";

/// # Errors
/// [`Failure`] in the collector's words; a file that cannot be read.
pub async fn plan(client: &Client, asked: &ChangeArguments, output: Output) -> Result<Printed, Failure> {
    let answer = client.post_json(&format!("{PATH}/plan"), &change(asked)?).await?;
    Ok(match output {
        Output::Json => Printed::json(&answer),
        _ => Printed::text(planned(&answer["plan"])),
    })
}

/// # Errors
/// [`Failure`] in the collector's words; a file that cannot be read.
pub async fn apply(client: &Client, asked: &ApplyArguments, output: Output) -> Result<Printed, Failure> {
    let mut body = change(&asked.change)?;
    body["reason"] = asked.reason.clone().into();
    body["base"] = asked.base.into();
    let answer = client.post_json(&format!("{PATH}/apply"), &body).await?;
    Ok(match output {
        Output::Json => Printed::json(&answer),
        _ => Printed::text(applied(&answer["applied"])),
    })
}

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &ProfilesVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        ProfilesVerb::List => {
            let answer = client.get(PATH).await?;
            Ok(printed(&answer, output, profiles(&answer), "there are no profiles"))
        }
        ProfilesVerb::Show { name } => {
            let answer = client.get(&format!("{PATH}/named/{}", escape(name))).await?;
            Ok(or_json(&answer, output, || raw(&answer["profile"]["text"])))
        }
        ProfilesVerb::Export => {
            let answer = client.get(&format!("{PATH}/export")).await?;
            Ok(or_json(&answer, output, || raw(&answer["text"])))
        }
        ProfilesVerb::Versions { version: None } => {
            let answer = client.get(&format!("{PATH}/versions")).await?;
            Ok(printed(&answer, output, versions(&answer, output, now_ms), "no profile was ever applied"))
        }
        ProfilesVerb::Versions { version: Some(version) } => {
            let answer = client.get(&format!("{PATH}/versions/{version}")).await?;
            Ok(or_json(&answer, output, || {
                list(&answer["profiles"]).iter().map(|one| format!("---\n{}\n", raw(&one["text"]))).collect()
            }))
        }
        ProfilesVerb::Assign { host, name, reason } => {
            let answer = client.put_json(&assigned_path(host, name), &json!({"reason": reason})).await?;
            Ok(or_json(&answer, output, || assigned_text(&answer, "is assigned to")))
        }
        ProfilesVerb::Unassign { host, name, reason } => {
            let answer = client.delete_json(&assigned_path(host, name), &json!({"reason": reason})).await?;
            Ok(or_json(&answer, output, || assigned_text(&answer, "is no more assigned to")))
        }
        ProfilesVerb::Assigned => {
            let answer = client.get(&format!("{PATH}/assigned")).await?;
            Ok(printed(&answer, output, assignments(&answer, output, now_ms), "no profile is assigned by hand"))
        }
        ProfilesVerb::Host { host, retry } => {
            let path = format!("/api/muster/v1/hosts/{}/configuration", escape(host));
            let answer = match retry {
                true => client.post_json(&format!("{path}/retry"), &json!({})).await?,
                false => client.get(&path).await?,
            };
            let shown = or_json(&answer, output, || configuration(&answer["configuration"], now_ms));
            let is_problem = !answer["configuration"]["set_back"].is_null();
            Ok(Printed { is_problem, ..shown })
        }
        ProfilesVerb::Rollouts => {
            let answer = client.get(&format!("{PATH}/rollouts")).await?;
            let all = list(&answer["rollouts"]);
            Ok(printed(&answer, output, rollouts(all, output, now_ms), "nothing was ever rolled out"))
        }
        ProfilesVerb::Stop { reason } => steer(client, "stop", reason, output, now_ms).await,
        ProfilesVerb::Resume => steer(client, "resume", "", output, now_ms).await,
        ProfilesVerb::Revert { reason } => {
            let answer = client.post_json(&format!("{PATH}/rollouts/revert"), &json!({"reason": reason})).await?;
            Ok(or_json(&answer, output, || applied(&answer["applied"])))
        }
    }
}

async fn steer(client: &Client, verb: &str, reason: &str, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let answer = client.post_json(&format!("{PATH}/rollouts/{verb}"), &json!({"reason": reason})).await?;
    let one = std::slice::from_ref(&answer["rollout"]);
    Ok(printed(&answer, output, rollouts(one, output, now_ms), ""))
}

fn or_json(answer: &Value, output: Output, make: impl FnOnce() -> String) -> Printed {
    if output == Output::Json {
        return Printed::json(answer);
    }
    let text = make();
    Printed::text(if text.is_empty() || text.ends_with('\n') { text } else { format!("{text}\n") })
}

fn assigned_path(host: &str, name: &str) -> String {
    format!("/api/muster/v1/hosts/{}/profiles/{}", escape(host), escape(name))
}

/// A value as a terminal may show it, line by line.
fn text(value: &Value) -> String {
    let text = raw(value);
    let lines: Vec<String> = text.lines().map(plain).collect();
    if text.ends_with('\n') { lines.join("\n") + "\n" } else { lines.join("\n") }
}

fn change(asked: &ChangeArguments) -> Result<Value, Failure> {
    let mut documents = Vec::new();
    for path in &asked.files {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::Usage(format!("failed to read standard input: {error}")))?;
            documents.push(json!({"name": "standard input", "text": text}));
            continue;
        }
        for path in files_of(path)? {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            documents.push(json!({"name": path.display().to_string(), "text": text}));
        }
    }
    Ok(json!({"documents": documents, "remove": asked.remove}))
}

/// The file itself, or the YAML files of a folder, by name.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml" || end == "yaml");
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_yaml).collect();
    found.sort();
    if found.is_empty() {
        return Err(Failure::Usage(format!("`{}` has no file that ends in .yml or .yaml", path.display())));
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("failed to read `{}`: {error}", path.display()))
}

/// A plan as people read it: what changes, then on which hosts, then what is to be known.
fn planned(plan: &Value) -> String {
    let mut out = String::new();
    for (sign, key) in [("+", "added"), ("~", "changed"), ("-", "removed")] {
        list(&plan[key]).iter().for_each(|name| out += &format!("{sign} profile {}\n", text(name)));
    }
    list(&plan["rules"]).iter().for_each(|name| out += &format!("~ rules of {}\n", text(name)));
    if out.is_empty() {
        out += "nothing changes\n";
    }
    let (hosts, shown) = (plan["hosts"].as_u64().unwrap_or(0), list(&plan["shown"]));
    out += &format!("{} another configuration\n", counted(hosts, "host gets", "hosts get"));
    for one in shown {
        out += &format!("\nhost {}\n{}", text(&one["name"]), text(&one["diff"]));
    }
    let more = hosts.saturating_sub(shown.len() as u64);
    if more > 0 {
        out += &format!("\nand {} not shown\n", counted(more, "host", "hosts"));
    }
    let names: Vec<String> = list(&plan["unable"]).iter().map(text).collect();
    if !names.is_empty() {
        out += &format!(
            "\n{} no configuration: {}\n",
            counted(names.len() as u64, "host takes", "hosts take"),
            names.join(", ")
        );
    }
    list(&plan["problems"]).iter().for_each(|problem| out += &format!("left out: {}\n", text(problem)));
    if !plan["rollout"].is_null() {
        out += &format!("the roll-out of version {} is open, and would be taken over\n", plan["rollout"]["set"]);
    }
    out + &format!("\nplanned over version {}\n", plan["base"])
}

fn applied(done: &Value) -> String {
    if done["changed"] != true {
        return format!("nothing changes: version {} holds\n", done["set"]);
    }
    let begun = match done["rollout"]["hosts"].as_u64() {
        None => "no host's configuration changes by waves".to_owned(),
        Some(hosts) => format!("a roll-out to {} begins: muster profiles rollouts", counted(hosts, "host", "hosts")),
    };
    format!("version {} holds; {begun}\n", done["set"])
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn assigned_text(answer: &Value, what: &str) -> String {
    let one = &answer["assignment"];
    format!("profile {} {what} host {}\n", text(&one["profile"]), text(&one["host"]))
}

fn time(value: &Value, output: Output, now_ms: i64) -> String {
    match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => relative(at_ms, now_ms),
        (None, _) => String::new(),
    }
}

fn profiles(answer: &Value) -> Rows {
    let mut rows = Rows::new(&["NAME", "SOURCE", "ACCEPT", ">HOSTS", ">FITS", ">LOGS", ">CHECKS", "DESCRIPTION"]);
    for one in list(&answer["profiles"]) {
        let hidden = match &one["hidden_by"] {
            Value::Null => String::new(),
            by => format!(" (hidden by {})", text(by)),
        };
        let [name, source, accept, hosts, fits, logs, checks, description] =
            ["name", "source", "accept", "hosts", "fits", "logs", "checks", "description"].map(|key| text(&one[key]));
        rows.rows.push(vec![name, source.replace('_', " ") + &hidden, accept, hosts, fits, logs, checks, description]);
    }
    rows
}

fn versions(answer: &Value, output: Output, now_ms: i64) -> Rows {
    let mut rows = Rows::new(&[">VERSION", "MADE", ">PROFILES", "BY", "REASON"]);
    for one in list(&answer["versions"]) {
        let [set, profiles, by, reason] = ["set", "profiles", "by", "reason"].map(|key| text(&one[key]));
        rows.rows.push(vec![set, time(&one["made_ms"], output, now_ms), profiles, by, reason]);
    }
    rows
}

fn assignments(answer: &Value, output: Output, now_ms: i64) -> Rows {
    let mut rows = Rows::new(&["HOST", "PROFILE", "SINCE", "BY", "REASON"]);
    for one in list(&answer["assignments"]) {
        let [host, profile, by, reason] = ["host", "profile", "by", "reason"].map(|key| text(&one[key]));
        rows.rows.push(vec![host, profile, time(&one["made_ms"], output, now_ms), by, reason]);
    }
    rows
}

fn rollouts(all: &[Value], output: Output, now_ms: i64) -> Rows {
    const WAVES: [&str; 3] = ["one host", "5 %", "all"];
    let mut rows = Rows::new(&[">VERSION", "STATE", "WAVE", ">HOSTS", ">GOOD", "BROKE ON", "BEGUN", "BY", "REASON"]);
    for one in all {
        let wave = one["wave"].as_u64().and_then(|wave| WAVES.get(usize::try_from(wave).ok()?)).copied().unwrap_or("");
        let broke = list(&one["failed"]).iter().map(|failed| {
            let name = if failed["host"].is_null() { &failed["id"] } else { &failed["host"] };
            format!("{}: {}", text(name), text(&failed["problem"]))
        });
        let broke = broke.collect::<Vec<_>>().join("; ");
        let [set, state, hosts, good, by, reason] =
            ["set", "state", "hosts", "good", "by", "reason"].map(|key| text(&one[key]));
        let begun = time(&one["begun_ms"], output, now_ms);
        rows.rows.push(vec![set, state, wave.to_owned(), hosts, good, broke, begun, by, reason]);
    }
    rows
}

fn configuration(one: &Value, now_ms: i64) -> String {
    let names = |key: &str| list(&one[key]).iter().map(text).collect::<Vec<_>>().join(" ");
    let mut out = format!("number    {} (version {} of the profiles)\n", one["number"], one["set"]);
    out += &format!("profiles  {}\n", names("profiles"));
    if !list(&one["proposed"]).is_empty() {
        out += &format!("proposed  {}: muster profiles assign HOST NAME\n", names("proposed"));
    }
    let told = &one["told"];
    let since = told["at_ms"].as_i64().map(|at_ms| format!(", {} ({})", relative(at_ms, now_ms), moment(at_ms)));
    let word = match (one["reads"].as_bool(), told.is_null()) {
        (Some(false), _) => "takes no configurations: its agent is older".to_owned(),
        (_, true) => "has not said anything yet".to_owned(),
        (_, false) => text(&told["word"]).replace('_', " "),
    };
    out += &format!("host      {word}{}\n", since.unwrap_or_default());
    if !one["set_back"].is_null() {
        out += &format!("set back  {}\n", text(&one["set_back"]));
    }
    list(&told["problems"]).iter().for_each(|problem| out += &format!("it says   {}\n", text(problem)));
    list(&one["problems"]).iter().for_each(|problem| out += &format!("left out  {}\n", text(problem)));
    out + "\n" + &text(&one["document"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_changes_where_and_what_is_to_be_known() {
        let plan = json!({"base": 7, "added": ["nginx"], "changed": ["base"], "removed": ["old"], "hosts": 3,
            "shown": [{"id": "1", "name": "web-1", "diff": "--- now\n+++ then\n+x\n"}], "unable": ["web-9"], "rules": ["nginx"],
            "problems": ["host `web-1`: two checks are named a"], "rollout": null});
        assert_eq!(
            planned(&plan),
            "+ profile nginx\n~ profile base\n- profile old\n~ rules of nginx\n3 hosts get another configuration\n\nhost web-1\n\
             --- now\n+++ then\n+x\n\nand 2 hosts not shown\n\n1 host takes no configuration: web-9\n\
             left out: host `web-1`: two checks are named a\n\nplanned over version 7\n"
        );
        let nothing = json!({"base": 7, "hosts": 0});
        assert_eq!(planned(&nothing), "nothing changes\n0 hosts get another configuration\n\nplanned over version 7\n");
    }

    #[test]
    fn a_rollout_names_the_hosts_it_broke_on() {
        let all =
            [json!({"set": 8, "state": "stopped", "wave": 0, "hosts": 100, "good": 0, "begun_ms": 5, "by": "user:ann",
            "failed": [{"host": "web-1", "id": "u", "problem": "refused"}], "reason": "host `web-1`: refused"})];
        let rows = rollouts(&all, Output::Csv, 0);
        assert_eq!(rows.rows[0].join("|"), "8|stopped|one host|100|0|web-1: refused|5|user:ann|host `web-1`: refused");
        let done = json!({"set": 8, "changed": true, "rollout": {"hosts": 1}});
        assert_eq!(applied(&done), "version 8 holds; a roll-out to 1 host begins: muster profiles rollouts\n");
    }

    #[test]
    fn a_configuration_says_what_the_host_said_before_its_document() {
        let one = json!({"number": 3, "set": 8, "profiles": ["nginx"], "proposed": ["redis"], "checks": [], "reads": true,
            "problems": [], "set_back": "it was refused",
            "told": {"word": "refused", "problems": ["logs: outside"], "at_ms": 0}, "document": "# nginx\n"});
        let shown = configuration(&one, 60_000);
        for line in [
            "profiles  nginx",
            "proposed  redis",
            "host      refused, ",
            "set back  it was refused",
            "it says   logs: outside",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
        assert!(shown.ends_with("\n\n# nginx\n"), "{shown}");
    }

    #[test]
    fn a_folder_is_its_yaml_files_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let none = files_of(folder.path()).unwrap_err().to_string();
        assert!(none.contains(".yml"), "{none}");
        for name in ["b.yml", "a.yaml", "c.txt"] {
            std::fs::write(folder.path().join(name), "profile: x\n").unwrap();
        }
        let names: Vec<_> =
            files_of(folder.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.yaml", "b.yml"]);
    }
}
