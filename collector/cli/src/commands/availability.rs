//! `muster availability`.

use serde_json::Value;

use super::Printed;
use super::inventory::{list, printed, text};
use crate::arguments::{AvailabilityArguments, Output, ReportForm};
use crate::client::{Client, escape};
use crate::error::Failure;
use crate::table::Rows;

const PATH: &str = "/api/muster/v1/availability";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, asked: &AvailabilityArguments, output: Output) -> Result<Printed, Failure> {
    let path = path(asked);
    match asked.report {
        Some(ReportForm::Csv) => client.get_text(&format!("{path}&format=csv")).await.map(Printed::text),
        Some(ReportForm::Html) => client.get_text(&format!("{path}&format=html")).await.map(Printed::text),
        None => {
            let answer = client.get(&path).await?;
            let mut shown = printed(&answer, output, rows(&answer, output), "no host was there in that month");
            if answer["is_over"] == false {
                shown.notes.push("the month goes on: this is what there is of it".to_owned());
            }
            shown.notes.extend(list(&answer["warnings"]).iter().map(text));
            Ok(shown)
        }
    }
}

fn path(asked: &AvailabilityArguments) -> String {
    let unknown = if asked.unknown_is_down { "down" } else { "excluded" };
    let mut path = format!("{PATH}?planned={}&unknown={unknown}&zone={}", asked.planned.as_str(), escape(&asked.zone));
    let named = [("month", &asked.month), ("group", &asked.group), ("check", &asked.check)];
    for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        path.push_str(&format!("&{name}={}", escape(value)));
    }
    for matcher in &asked.matchers {
        path.push_str(&format!("&match={}", escape(matcher)));
    }
    path
}

fn rows(answer: &Value, output: Output) -> Rows {
    let mut rows =
        Rows::new(&["GROUP", "HOST", ">AVAILABLE %", ">UP", ">DOWN", ">NOT KNOWN", ">PLANNED", ">OF THAT DOWN"]);
    let mut line = |group: String, host: String, one: &Value| {
        let ms = |key: &str| one[key].as_u64().unwrap_or(0);
        let percent = one["percent"].as_f64().map(|percent| format!("{percent:.4}")).unwrap_or_default();
        let planned = ms("planned_up_ms") + ms("planned_down_ms") + ms("planned_unknown_ms");
        let times = [ms("up_ms"), ms("down_ms"), ms("unknown_ms"), planned, ms("planned_down_ms")];
        let mut cells = vec![group, host, percent];
        cells.extend(times.map(|ms| if output == Output::Csv { ms.to_string() } else { span(ms) }));
        rows.rows.push(cells);
    };
    for group in list(&answer["groups"]) {
        let name = text(&group["group"]);
        for host in list(&group["hosts"]) {
            line(name.clone(), text(&host["host"]), host);
        }
        line(name, "(all)".to_owned(), group);
    }
    rows
}

/// `29d 23:59:45`, by the second below.
fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let clock = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if days == 0 { clock } else { format!("{days}d {clock}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arguments::PlannedTime;

    #[test]
    fn what_is_asked_stands_in_the_path() {
        let asked = AvailabilityArguments {
            month: Some("2026-11".into()),
            group: Some("role".into()),
            check: None,
            matchers: vec!["env=~\"p.*\"".into()],
            planned: PlannedTime::Ignored,
            unknown_is_down: true,
            zone: "Europe/Berlin".into(),
            report: None,
        };
        let expect =
            "?planned=ignored&unknown=down&zone=Europe%2FBerlin&month=2026-11&group=role&match=env%3D~%22p.%2A%22";
        assert_eq!(path(&asked), format!("{PATH}{expect}"));
    }

    #[test]
    fn hosts_stand_before_the_sum_of_their_group() {
        let times = |host: &str| {
            json!({"host": host, "percent": 99.5, "up_ms": 90_061_000, "down_ms": 999, "unknown_ms": 0,
            "planned_up_ms": 1_000, "planned_down_ms": 2_000, "planned_unknown_ms": 0})
        };
        let mut group = times("");
        group["group"] = "web".into();
        group["hosts"] = json!([times("web-1")]);
        let shown = rows(&json!({"groups": [group]}), Output::Table);
        assert_eq!(shown.rows[0].join("|"), "web|web-1|99.5000|1d 01:01:01|00:00:00|00:00:00|00:00:03|00:00:02");
        assert_eq!(shown.rows[1][1], "(all)");
    }
}
