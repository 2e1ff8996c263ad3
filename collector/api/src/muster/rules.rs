//! Rule files of whoever writes them, judged and tested before they are in force.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_alert::{Finding, RuleDefaults, lint_rules, run_unit_tests};
use muster_common::sample::MetricKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, bad, read};
use crate::error::MusterError;
use crate::state::State;

/// Files of one request: ten times what large sites have.
const FILES_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lint {
    files: Vec<File>,
}

pub(super) async fn lint(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let Lint { files } = read(request).await?;
    check_count("files", files.len())?;
    let shared = Arc::clone(&state);
    let findings = state.pool.run(move |_| {
        let metrics: HashMap<String, MetricKind> = shared.reader.view().metadata().into_iter().collect();
        let sources: Vec<(String, String)> = files.into_iter().map(|file| (file.name, file.text)).collect();
        lint_rules(&sources, RuleDefaults::default(), Some(&|name| metrics.get(name).copied()))
    });
    let findings: Vec<Value> = findings.await?.iter().map(finding_json).collect();
    Ok(answer(StatusCode::OK, json!({"findings": findings})))
}

fn finding_json(finding: &Finding) -> Value {
    let at = &finding.at;
    json!({
        "where": format!("{}:{}:{}", at.file, at.place.line, at.place.column),
        "level": if finding.is_mistake { "error" } else { "warning" },
        "message": at.what,
        "remedy": at.remedy,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unit {
    tests: Vec<UnitTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitTest {
    test: File,
    /// What its `rule_files` names.
    #[serde(default)]
    rules: Vec<File>,
}

pub(super) async fn unit(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let Unit { tests } = read(request).await?;
    check_count("tests", tests.len() + tests.iter().map(|test| test.rules.len()).sum::<usize>())?;
    let results = state.pool.run(move |_| tests.iter().map(result_json).collect::<Vec<_>>());
    Ok(answer(StatusCode::OK, json!({"results": results.await?})))
}

fn result_json(asked: &UnitTest) -> Value {
    let UnitTest { test, rules } = asked;
    let sent = |name: &str| {
        let found = rules.iter().find(|file| file.name == name);
        let found = found.map(|file| vec![(file.name.clone(), file.text.clone())]);
        found.ok_or_else(|| format!("`{name}` was not sent with the test"))
    };
    match run_unit_tests(&test.name, &test.text, &sent) {
        Ok(report) => json!({"name": test.name, "cases": report.cases, "failures": report.failures}),
        Err(mistakes) => {
            let failures: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            json!({"name": test.name, "cases": 0, "failures": failures})
        }
    }
}

fn check_count(field: &str, count: usize) -> Result<(), MusterError> {
    match count {
        1..=FILES_MAX => Ok(()),
        0 => Err(bad(&format!("field `{field}`"), "no file was sent", "send at least one").into()),
        _ => {
            let message = format!("{count} files, but at most {FILES_MAX} are taken");
            Err(bad(&format!("field `{field}`"), message, "send them in several requests").into())
        }
    }
}
