//! `muster rules list|lint|unit`.

use std::path::Path;

use serde_json::{Value, json};

use super::Printed;
use super::checks::{array, word};
use crate::arguments::{Output, RulesVerb};
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;

/// # Errors
/// [`Failure`] in the collector's words; a file that cannot be read.
pub async fn run(client: &Client, verb: &RulesVerb, output: Output, _now_ms: i64) -> Result<Printed, Failure> {
    match verb {
        RulesVerb::List => {
            let answer = client.get("/api/v1/rules").await?;
            let rows = rows(&answer);
            Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(rows.to_csv()),
                Output::Table | Output::Raw => Printed::text(rows.to_table("no rules are in force")),
            })
        }
        RulesVerb::Lint { files } => {
            let files = files.iter().map(|path| file(path)).collect::<Result<Vec<_>, _>>()?;
            let answer = client.post_json("/api/muster/v1/rules/lint", &json!({"files": files})).await?;
            Ok(linted(&answer, output))
        }
        RulesVerb::Unit { files } => {
            let mut tests = Vec::new();
            for path in files {
                let test = file(path)?;
                let named = rule_files(word(&test, "text"));
                let folder = path.parent().unwrap_or_else(|| Path::new(""));
                let rules = named.iter().map(|name| named_file(folder, name)).collect::<Result<Vec<_>, _>>()?;
                tests.push(json!({"test": test, "rules": rules}));
            }
            let answer = client.post_json("/api/muster/v1/rules/unit", &json!({"tests": tests})).await?;
            Ok(tested(&answer, output))
        }
    }
}

fn file(path: &Path) -> Result<Value, Failure> {
    named_file(Path::new(""), &path.display().to_string())
}

/// The text of a file under the name by which it is called.
fn named_file(folder: &Path, name: &str) -> Result<Value, Failure> {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::Usage(format!("failed to read `{}`: {error}", path.display())))?;
    Ok(json!({"name": name, "text": text}))
}

/// What a unit test file lists under `rule_files`: the collector cannot read files of this machine.
fn rule_files(text: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("rule_files:"));
    let first = lines.next().and_then(|line| line.split_once(':')).map_or("", |(_, rest)| rest.trim());
    let item = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    if let Some(list) = first.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        return list.split(',').map(item).filter(|name| !name.is_empty()).collect();
    }
    let own = |line: &&str| line.trim().is_empty() || line.trim().starts_with(['-', '#']);
    lines.take_while(own).filter_map(|line| line.trim().strip_prefix('-')).map(item).collect()
}

fn linted(answer: &Value, output: Output) -> Printed {
    let findings = array(answer, "findings");
    let is_problem = findings.iter().any(|finding| word(finding, "level") == "error");
    let mut rows = Rows::new(&["PLACE", "LEVEL", "FINDING", "REMEDY"]);
    for finding in findings {
        rows.rows.push(["where", "level", "message", "remedy"].map(|key| word(finding, key).to_owned()).to_vec());
    }
    let mut printed = match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rows.to_csv()),
        Output::Table | Output::Raw => Printed::text(rows.to_table("nothing is wrong")),
    };
    printed.is_problem = is_problem;
    printed
}

fn tested(answer: &Value, output: Output) -> Printed {
    let results = array(answer, "results");
    let mut text = String::new();
    for result in results {
        let failures = array(result, "failures");
        let verdict = if failures.is_empty() { "SUCCESS" } else { "FAILED" };
        text.push_str(&format!("{}: {verdict}\n", word(result, "name")));
        for failure in failures {
            text.push_str(&format!("  {}\n", failure.as_str().unwrap_or("").replace('\n', "\n  ")));
        }
    }
    let is_problem = results.iter().any(|result| !array(result, "failures").is_empty());
    match output {
        Output::Json => Printed { is_problem, ..Printed::json(answer) },
        _ => Printed { text, is_problem, ..Printed::default() },
    }
}

fn rows(answer: &Value) -> Rows {
    let mut rows = Rows::new(&["GROUP", "KIND", "RULE", "STATE", "HEALTH", ">ALERTS", "ERROR"]);
    for group in array(&answer["data"], "groups") {
        for rule in array(group, "rules") {
            let alerts = array(rule, "alerts").len();
            rows.rows.push(vec![
                word(group, "name").to_owned(),
                word(rule, "type").to_owned(),
                word(rule, "name").to_owned(),
                word(rule, "state").to_owned(),
                word(rule, "health").to_owned(),
                if word(rule, "type") == "alerting" { alerts.to_string() } else { String::new() },
                word(rule, "lastError").to_owned(),
            ]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_files_of_a_unit_test_are_found_in_both_forms() {
        assert_eq!(rule_files("rule_files:\n  - a.yml\n  # more\n  - \"b.yml\"\ntests:\n  - x\n"), ["a.yml", "b.yml"]);
        assert_eq!(rule_files("tests: []\nrule_files: [a.yml, 'b.yml']\n"), ["a.yml", "b.yml"]);
        assert!(rule_files("tests: []\n").is_empty());
    }

    #[test]
    fn errors_and_failed_tests_are_problems_and_warnings_are_none() {
        let finding =
            |level: &str| json!({"findings": [{"where": "a.yml:3:5", "level": level, "message": "m", "remedy": "r"}]});
        assert!(linted(&finding("error"), Output::Table).is_problem);
        let warned = linted(&finding("warning"), Output::Table);
        assert!(!warned.is_problem && warned.text.contains("a.yml:3:5  warning  m        r"), "{}", warned.text);
        let answer =
            json!({"results": [{"name": "t.yml", "failures": []}, {"name": "u.yml", "failures": ["exp: 1\ngot: 2"]}]});
        let told = tested(&answer, Output::Table);
        assert!(told.is_problem);
        assert_eq!(told.text, "t.yml: SUCCESS\nu.yml: FAILED\n  exp: 1\n  got: 2\n");
    }
}
