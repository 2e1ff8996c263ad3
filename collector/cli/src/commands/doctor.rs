//! `muster doctor`: what the collector finds wrong with itself; exit code 1 when it is a problem.

use muster_common::finding::{Finding, Level, show, worst};
use serde_json::Value;

use super::Printed;
use super::checks::{array, word};
use crate::arguments::Output;
use crate::client::Client;
use crate::error::Failure;
use crate::table::Rows;

pub(super) const PATH: &str = "/api/muster/v1/doctor";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, output: Output) -> Result<Printed, Failure> {
    Ok(printed(&client.get(PATH).await?, output))
}

fn printed(answer: &Value, output: Output) -> Printed {
    let findings: Vec<Finding> = array(answer, "findings").iter().map(read).collect();
    let printed = match output {
        Output::Json => Printed::json(answer),
        Output::Csv => Printed::text(rows(&findings).to_csv()),
        Output::Table | Output::Raw => Printed::text(show(&findings)),
    };
    Printed { is_problem: worst(&findings) == Level::Problem, ..printed }
}

/// A level of a later version is taken as a problem, so that nothing is passed over.
fn read(finding: &Value) -> Finding {
    let text = |name| word(finding, name).to_owned();
    Finding {
        level: Level::parse(word(finding, "level")).unwrap_or(Level::Problem),
        examination: text("examination"),
        what: text("what"),
        place: text("where"),
        remedy: text("remedy"),
    }
}

fn rows(findings: &[Finding]) -> Rows {
    let mut rows = Rows::new(&["EXAMINATION", "LEVEL", "WHAT", "WHERE", "REMEDY"]);
    for finding in findings {
        let Finding { level, examination, what, place, remedy } = finding.clone();
        rows.rows.push(vec![examination, level.as_str().to_owned(), what, place, remedy]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn findings_are_shown_alike_and_a_problem_is_exit_code_1() {
        let finding =
            |level: &str| json!({"level": level, "examination": "disk", "what": "w", "where": "/d", "remedy": "r"});
        let told = |levels: &[&str], output| {
            let findings: Vec<Value> = levels.iter().map(|level| finding(level)).collect();
            printed(&json!({"findings": findings}), output)
        };
        let shown = told(&["ok", "problem"], Output::Table);
        assert!(shown.is_problem);
        assert_eq!(
            shown.text,
            "disk  ok       w\ndisk  PROBLEM  w\n      where    /d\n      remedy   r\n1 problems, 0 warnings, 1 ok\n"
        );
        assert!(!told(&["ok", "warning"], Output::Table).is_problem && told(&["grave"], Output::Json).is_problem);
        assert_eq!(told(&["warning"], Output::Csv).text, "examination,level,what,where,remedy\ndisk,warning,w,/d,r\n");
    }
}
