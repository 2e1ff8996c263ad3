//! `muster-agent inventory`: what this host would tell, for people and programs, and what looking costs.

use std::fmt::Write as _;
use std::time::Duration;

use muster_common::inventory::{Rows, TABLES, Value, named};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value as Json};

use super::scene::Scene;
use super::sources::{Pace, SOURCES, Source, look};
use super::{InventoryConfig, Problem};

/// A column of the table for people is cut there; JSON has all of it.
const CELL_LETTERS_MAX: usize = 60;
const HOUR: Duration = Duration::from_secs(3_600);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Text,
    Json,
    Cost,
}

/// What is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    /// Tables that could not be looked at, and what was left out of others.
    pub problems: Vec<String>,
    pub has_failed: bool,
}

/// A name that no table has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no table of the inventory: write one of {known}")]
pub struct UnknownTable {
    name: String,
    known: String,
}

/// Looks at one table, or at all, of this host.
///
/// # Errors
/// [`UnknownTable`]
pub fn show(config: &InventoryConfig, table: Option<&str>, asked: Asked) -> Result<Shown, UnknownTable> {
    show_scene(&Scene::of_host(config), config, table, asked)
}

pub(super) fn show_scene(
    scene: &Scene,
    config: &InventoryConfig,
    table: Option<&str>,
    asked: Asked,
) -> Result<Shown, UnknownTable> {
    let names = || TABLES.iter().map(|table| table.name).collect::<Vec<_>>().join(", ");
    if let Some(name) = table.filter(|name| named(name).is_none()) {
        return Err(UnknownTable { name: name.to_owned(), known: names() });
    }
    let wanted = SOURCES.iter().filter(|source| table.is_none_or(|name| name == source.table.name));
    let (mut shown, mut json, mut hour) = (Shown::default(), Map::new(), Duration::ZERO);
    for source in wanted {
        let (found, first) = timed(|| look(scene, source));
        match (&found, asked) {
            (Err(problem), _) => fail(&mut shown, source, problem),
            (Ok(rows), Asked::Text) => shown.text.push_str(&as_text(rows, table.is_none())),
            (Ok(rows), Asked::Json) => drop(json.insert(source.table.name.to_owned(), as_json(rows))),
            (Ok(rows), Asked::Cost) => {
                let (_, again) = timed(|| look(scene, source));
                let every =
                    if let Pace::Every(span) = source.pace { span.min(config.interval) } else { config.interval };
                let an_hour = again.mul_f64(HOUR.as_secs_f64() / every.as_secs_f64());
                hour += an_hour;
                add_cost(&mut shown.text, (source.table.name, rows.len()), [first, again, an_hour]);
            }
        }
        let notes = scene.take_notes();
        shown.problems.extend(notes.into_iter().map(|note| format!("table {}: {note}", source.table.name)));
    }
    if asked == Asked::Json {
        let text = serde_json::to_string_pretty(&Json::Object(json)).unwrap_or_default();
        shown.text = text + "\n";
    } else if asked == Asked::Cost {
        let _ = writeln!(shown.text, "all tables: {:.2} s of CPU an hour", hour.as_secs_f64());
    }
    Ok(shown)
}

fn fail(shown: &mut Shown, source: &Source, problem: &Problem) {
    shown.has_failed = true;
    shown.problems.push(format!("table {}: {problem}", source.table.name));
}

/// What something gives, and the CPU time of this thread that it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let begin = now();
    let result = work();
    (result, now().saturating_sub(begin))
}

fn add_cost(text: &mut String, (name, rows): (&str, usize), spans: [Duration; 3]) {
    if text.is_empty() {
        let _ = writeln!(text, "{:<16} {:>6} {:>10} {:>10} {:>10}", "TABLE", "ROWS", "FIRST", "AGAIN", "AN HOUR");
    }
    let [first, again, an_hour] = spans.map(|span| span.as_secs_f64() * 1e3);
    let _ = writeln!(text, "{name:<16} {rows:>6} {first:>7.2} ms {again:>7.2} ms {an_hour:>7.1} ms");
}

/// One object a row, without what is not known.
fn as_json(rows: &Rows) -> Json {
    let row = |row: &Vec<Value>| {
        let pairs = rows.table().columns.iter().zip(row).filter_map(|(column, value)| {
            let value = match value {
                Value::Null => return None,
                Value::Integer(number) => Json::from(*number),
                Value::Text(text) => Json::from(text.as_str()),
            };
            Some((column.name.to_owned(), value))
        });
        Json::Object(pairs.collect())
    };
    Json::Array(rows.iter().map(row).collect())
}

/// Columns under their names, with the table's name above if there are several.
fn as_text(rows: &Rows, is_headed: bool) -> String {
    let cell = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        // What moves the cursor, or ends a line, is not printed as it is.
        Value::Text(text) => {
            let plain: String = text.chars().map(|one| if one.is_control() { '?' } else { one }).collect();
            if plain.chars().count() <= CELL_LETTERS_MAX {
                plain
            } else {
                plain.chars().take(CELL_LETTERS_MAX - 3).chain("...".chars()).collect()
            }
        }
    };
    let mut lines: Vec<Vec<String>> =
        vec![rows.table().columns.iter().map(|column| column.name.to_uppercase()).collect()];
    lines.extend(rows.iter().map(|row| row.iter().map(cell).collect()));
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..rows.table().columns.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    if is_headed {
        let _ = writeln!(text, "{} ({})", rows.table().name, rows.len());
    }
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    if is_headed {
        text.push('\n');
    }
    text
}
