//! The question of a request: read, and judged before any host is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_common::ask::{SIGNS, Sieve, sign};
use muster_common::host::HostId;
use muster_common::inventory::Value;
use muster_common::limits::{ANSWER_ROWS_MAX, ASK_FILTERS_MAX};
use muster_common::matcher_text::{all_match_by, read_matchers};
use muster_common::time::Timestamp;
use muster_common::wire::message::AskFilter;
use muster_fleet::{ASKED_ROWS_MAX, Fleet, HostState, Question, WITHIN_DEFAULT, WITHIN_MAX};
use serde::Deserialize;

use super::condition::condition;
use crate::error::ApiError;
use crate::muster::body::{bad, span};
use crate::work::{refusal, split};

/// Rows told unless it is said.
const LIMIT: usize = 1_000;
/// The shortest time that hosts may be given: a round trip and a look.
const WITHIN_MIN: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    table: String,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    /// Conditions as people write them.
    #[serde(default)]
    r#where: Vec<String>,
    /// Names or ids.
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    matchers: Vec<String>,
    limit: Option<usize>,
    timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    column: String,
    test: String,
    #[serde(default)]
    value: serde_json::Value,
}

/// A question that can be asked.
pub(super) struct Judged {
    pub(super) question: Question,
    /// Ids and names, by name.
    pub(super) hosts: Vec<(HostId, String)>,
    /// Rows told at most.
    pub(super) limit: usize,
    /// For the audit.
    pub(super) text: String,
}

impl Body {
    /// Against the tables there are and the hosts there are; `now` is what conditions may count from.
    pub(super) fn judge(self, fleet: &Fleet, now: Timestamp) -> Result<Judged, ApiError> {
        let ask_tables = "GET /api/muster/v1/ask/tables lists tables and columns";
        // The table first, since conditions are read by its columns.
        let whole = Sieve::of(&self.table, &[], &[])
            .map_err(|error| of_text(&error.to_string(), "field `table`", ask_tables))?;
        let given = self.filters.len() + self.r#where.len();
        if given > ASK_FILTERS_MAX {
            let message = format!("there are {given} conditions");
            return Err(bad("fields `filters` and `where`", message, format!("write at most {ASK_FILTERS_MAX}")));
        }
        let mut filters = self.filters.into_iter().map(Filter::read).collect::<Result<Vec<AskFilter>, _>>()?;
        for text in &self.r#where {
            filters.push(
                condition(whole.table(), text, now).map_err(|error| of_text(&error, "field `where`", ask_tables))?,
            );
        }
        let sieve = Sieve::new(whole.table(), &self.columns, &filters)
            .map_err(|error| of_text(&error.to_string(), "the question", ask_tables))?;
        let within = self.timeout.as_deref().map_or(Ok(WITHIN_DEFAULT), |text| span("timeout", text))?;
        if !(WITHIN_MIN..=WITHIN_MAX).contains(&within) {
            let remedy = format!("write a duration from 100ms to {}s", WITHIN_MAX.as_secs());
            return Err(bad("field `timeout`", "hosts cannot be given so much or so little time", remedy));
        }
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=ASKED_ROWS_MAX).contains(&limit) {
            let remedy = format!("write a number from 1 to {ASKED_ROWS_MAX}");
            return Err(bad("field `limit`", format!("`{limit}` is no number of rows"), remedy));
        }
        let hosts = chosen(fleet, &self.hosts, &self.matchers)?;
        let text = told(&sieve, &filters, &self.hosts, &self.matchers, hosts.len());
        let question = Question {
            is_whole: self.columns.is_empty(),
            rows_max: u32::try_from(ANSWER_ROWS_MAX).unwrap_or(u32::MAX),
            sieve,
            filters,
            within,
        };
        Ok(Judged { question, hosts, limit, text })
    }
}

impl Filter {
    fn read(self) -> Result<AskFilter, ApiError> {
        let place = "field `filters`";
        let signs = || SIGNS.map(|(_, sign)| sign).join(", ");
        let known = SIGNS.iter().find(|(_, sign)| *sign == self.test);
        let Some((test, _)) = known else {
            let shown: String = self.test.chars().take(64).collect();
            return Err(bad(place, format!("`{shown}` is no test"), format!("write one of {}", signs())));
        };
        let value = match self.value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::String(text) => text.into(),
            serde_json::Value::Number(number) if number.is_i64() => number.as_i64().into(),
            _ => {
                let message = format!("the value for column `{}` is no value of a row", self.column);
                return Err(bad(place, message, "write a text, a whole number or null"));
            }
        };
        Ok(AskFilter { column: self.column, test: *test, value })
    }
}

/// A text in the house's form, `what: what to do`.
fn of_text(text: &str, place: &str, otherwise: &str) -> ApiError {
    let (message, remedy) = split(text);
    bad(place, message, if remedy.is_empty() { otherwise.to_owned() } else { remedy })
}

/// Active hosts that are named or that all matchers fit, by name; all of them where nothing is said.
fn chosen(fleet: &Fleet, named: &[String], matchers: &[String]) -> Result<Vec<(HostId, String)>, ApiError> {
    let read = read_matchers(&matchers.join(", ")).map_err(|error| {
        bad("field `matchers`", error.to_string(), "write matchers over host and its labels, such as role=\"web\"")
    });
    let read = if matchers.iter().all(|one| one.trim().is_empty()) { Vec::new() } else { read? };
    let ids: BTreeSet<HostId> = named
        .iter()
        .map(|asked| fleet.find(asked).map_err(|error| refusal(&error.into(), "field `hosts`")))
        .collect::<Result<_, _>>()?;
    let mut chosen: Vec<(HostId, String)> = fleet
        .hosts()
        .into_iter()
        .filter(|row| row.state == HostState::Active)
        .filter(|row| {
            let label =
                |of: &str| if of == "host" { Some(row.name.as_str()) } else { row.labels.get(of).map(String::as_str) };
            let is_named = ids.contains(&row.id);
            is_named || (!read.is_empty() && all_match_by(&read, label)) || (ids.is_empty() && read.is_empty())
        })
        .map(|row| (row.id, row.name))
        .collect();
    if chosen.is_empty() {
        let remedy = "`muster hosts list` shows hosts and labels; retired ones are not asked";
        return Err(bad("fields `hosts` and `matchers`", "no registered host fits", remedy));
    }
    chosen.sort_by(|one, other| one.1.cmp(&other.1));
    Ok(chosen)
}

/// One sentence for the audit.
fn told(sieve: &Sieve, filters: &[AskFilter], named: &[String], matchers: &[String], hosts: usize) -> String {
    let columns: Vec<&str> = sieve.columns().map(|column| column.name).collect();
    let value = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
    };
    let conditions: Vec<String> = filters
        .iter()
        .map(|filter| format!("{} {} {}", filter.column, sign(filter.test), value(&filter.value)))
        .collect();
    let mut text = format!("asked for {} of {}", columns.join(", "), sieve.table().name);
    if !conditions.is_empty() {
        text.push_str(&format!(" where {}", conditions.join(" and ")));
    }
    let meant: Vec<&str> = named.iter().chain(matchers).map(String::as_str).collect();
    let of = if meant.is_empty() { "all".to_owned() } else { meant.join(", ") };
    text.push_str(&format!(" on {hosts} hosts ({of})"));
    text
}
