//! `muster logs`: lines page by page in the order of time, with their context, as they come, or counted and drawn.

use std::io::{ErrorKind, Write};

use serde_json::Value;

use super::Printed;
use super::query::{POINTS_WANTED, Picture, ROWS_WANTED, Terminal, When, default_step, print, seconds};
use crate::arguments::{LogsArguments, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::time::{parse_moment, parse_positive_span};

mod ask;
mod context;
mod follow;
mod lines;
mod text;

use ask::{Asked, Lines, pages};
use lines::Writer;
use text::Texts;

const PATH: &str = "/loki/api/v1/query_range";
/// Asks that labels of streams, structured metadata and what the pipeline made come apart.
const FLAG: (&str, &str) = ("x-loki-response-encoding-flags", "categorize-labels");
const NS_PER_MS: i64 = 1_000_000;

/// # Errors
/// [`Failure`] in the collector's words, or on wrong times.
pub async fn run(
    client: &Client,
    arguments: &LogsArguments,
    output: Output,
    terminal: Terminal,
    now_ms: i64,
    out: &mut (dyn Write + Send),
) -> Result<Printed, Failure> {
    let query = query(arguments)?;
    let until_ms = arguments.until.as_deref().map_or(Ok(now_ms), |text| {
        parse_moment(text, now_ms).map_err(|error| Failure::Usage(error.to_string().replace("--at", "--until")))
    })?;
    let since_ms = parse_positive_span("--since", &arguments.since)?;
    let from_ms = until_ms.saturating_sub(since_ms);
    let is_lines = query.trim_start().starts_with('{');
    let picture = match (arguments.plot, arguments.histogram) {
        (_, true) => Picture::Bars,
        (true, false) => Picture::Graph,
        (false, false) => Picture::None,
    };
    if picture != Picture::None || !is_lines {
        let width = arguments.width.unwrap_or(terminal.columns);
        let step = arguments.step.as_deref().map(|text| parse_positive_span("--step", text)).transpose()?;
        let wanted = if picture == Picture::Bars { ROWS_WANTED } else { POINTS_WANTED };
        let step = step.unwrap_or_else(|| default_step(since_ms, wanted));
        let numbers = if is_lines { numbers(&query, step, picture) } else { query };
        let when = When::Range { from: from_ms, to: until_ms, step };
        return counted(client, numbers, when, output, picture, Terminal { columns: width, ..terminal }).await;
    }
    let mut writer = Writer::new(out, output);
    if arguments.follow {
        let start_ns = from_ms.saturating_mul(NS_PER_MS);
        return finished(follow::run(client, query, start_ns, arguments.limit, &mut writer).await);
    }
    let asked = Asked {
        query,
        from_ns: from_ms.saturating_mul(NS_PER_MS),
        to_ns: until_ms.saturating_mul(NS_PER_MS),
        forward: arguments.forward,
        limit: arguments.limit as usize,
    };
    let ask = async |form: Vec<(&'static str, String)>| client.post_form_with(PATH, &form, FLAG).await;
    finished(shown(&ask, &asked, arguments.context, &mut writer).await)
}

/// Why lines are no longer written.
enum Stop {
    /// The reader has seen enough (`| head`).
    Enough,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Enough,
            _ => Self::Failed(Failure::Unknown(format!("failed to write the answer: {error}"))),
        }
    }
}

fn finished(done: Result<Vec<String>, Stop>) -> Result<Printed, Failure> {
    match done {
        Ok(notes) => Ok(Printed { notes, ..Printed::default() }),
        Err(Stop::Enough) => Ok(Printed::default()),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

/// Lines with their context; answers what is to be noted.
async fn shown<A>(ask: &A, asked: &Asked, context: Option<u16>, writer: &mut Writer<'_>) -> Result<Vec<String>, Stop>
where
    A: AsyncFn(Vec<(&'static str, String)>) -> Result<Value, Failure>,
{
    let mut notes = Texts::default();
    if asked.forward && context.is_none() {
        // Nothing has to be held.
        pages(ask, asked, &mut notes, &mut |page: Lines| Ok(writer.write(&page)?)).await?;
    } else {
        let mut held: Vec<Lines> = Vec::new();
        pages(ask, asked, &mut notes, &mut |page: Lines| {
            held.push(page);
            Ok(())
        })
        .await?;
        if !asked.forward {
            held.reverse();
        }
        let found: Lines = held.into_iter().flatten().collect();
        match context {
            None => writer.write(&found)?,
            Some(count) => context::show(ask, &found, usize::from(count), &mut notes, writer).await?,
        }
    }
    if writer.is_empty() {
        notes.add(format!("no lines: nothing of {} in this time", asked.query));
    }
    Ok(notes.into_list())
}

/// How many lines there are in each step: a histogram tells them by level.
fn numbers(lines: &str, step_ms: i64, picture: Picture) -> String {
    let by = if picture == Picture::Bars { " by (level) " } else { "" };
    format!("sum{by}(count_over_time({lines} [{step_ms}ms]))")
}

/// Numbers, as `muster query` prints them.
async fn counted(
    client: &Client,
    query: String,
    when: When,
    output: Output,
    picture: Picture,
    terminal: Terminal,
) -> Result<Printed, Failure> {
    let When::Range { from, to, step } = when else { return Ok(Printed::default()) };
    if output == Output::Raw {
        return Err(Failure::Usage(
            "-o raw is of lines, and this query answers numbers: write table, json or csv".into(),
        ));
    }
    let form = [
        ("query", query),
        ("start", from.saturating_mul(NS_PER_MS).to_string()),
        ("end", to.saturating_mul(NS_PER_MS).to_string()),
        ("step", seconds(step)),
    ];
    let answer = client.post_form(PATH, &form).await?;
    print(&answer, when, output, picture, terminal)
}

/// The query that arguments and shortcuts come to.
fn query(arguments: &LogsArguments) -> Result<String, Failure> {
    let named = [("host", &arguments.host), ("unit", &arguments.unit)];
    let matchers: Vec<String> = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", text::quoted(value.as_ref()?))))
        .collect();
    let mut query = match &arguments.query {
        None if matchers.is_empty() => "{host=~\".+\"}".to_owned(),
        None => format!("{{{}}}", matchers.join(", ")),
        Some(query) if matchers.is_empty() => query.clone(),
        Some(query) => match query.trim_start().strip_prefix('{') {
            Some(rest) if rest.trim_start().starts_with('}') => format!("{{{}{rest}", matchers.join(", ")),
            Some(rest) => format!("{{{}, {rest}", matchers.join(", ")),
            None => {
                return Err(Failure::Usage(format!(
                    "--host and --unit go with a selector, and `{query}` begins with none: write them into its braces"
                )));
            }
        },
    };
    for text in &arguments.grep {
        if !query.trim_start().starts_with('{') {
            return Err(Failure::Usage(format!(
                "--grep goes with a selector, and `{query}` begins with none: write |= into the query"
            )));
        }
        query.push_str(&format!(" |= {}", text::quoted(text)));
    }
    Ok(query)
}

#[cfg(test)]
#[path = "logs/tests.rs"]
mod tests;
