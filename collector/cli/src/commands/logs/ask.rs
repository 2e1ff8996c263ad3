//! Questions and their pages.

use serde_json::Value;

use super::Stop;
use super::text::Texts;
use crate::error::Failure;

/// Lines of one page: enough that few are asked for, few enough that the first are soon there.
const PAGE_LINES: usize = 1_000;

/// One question for lines.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) from_ns: i64,
    /// Excluded.
    pub(super) to_ns: i64,
    pub(super) forward: bool,
    pub(super) limit: usize,
}

/// One line. Pairs by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at_ns: i64,
    pub(super) stream: Vec<(String, String)>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) parsed: Vec<(String, String)>,
    pub(super) text: String,
}

/// Oldest first.
pub(super) type Lines = Vec<Line>;

/// Asks page by page and gives each to `take`, until all that was asked for is there.
///
/// # Errors
/// Of the collector, or of `take`.
pub(super) async fn pages<A>(
    ask: &A,
    asked: &Asked,
    notes: &mut Texts,
    take: &mut (dyn FnMut(Lines) -> Result<(), Stop> + Send),
) -> Result<(), Stop>
where
    A: AsyncFn(Vec<(&'static str, String)>) -> Result<Value, Failure>,
{
    let (mut left, mut after) = (asked.limit, None::<String>);
    // Each turn takes at least one line, or is the last.
    while left > 0 {
        let size = left.min(PAGE_LINES);
        let mut form = vec![
            ("query", asked.query.clone()),
            ("start", asked.from_ns.to_string()),
            ("end", asked.to_ns.to_string()),
            ("limit", size.to_string()),
            ("direction", if asked.forward { "forward" } else { "backward" }.to_owned()),
        ];
        form.extend(after.take().map(|token| ("after", token)));
        let answer = ask(form).await?;
        for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            notes.add(format!("warning: {warning}"));
        }
        let data = &answer["data"];
        let page =
            read(&data["result"], !asked.forward).filter(|_| data["resultType"] == "streams").ok_or_else(|| {
                Failure::Unknown("the collector's answer has no lines: is muster older than the collector?".to_owned())
            })?;
        let count = page.len();
        left = left.saturating_sub(count);
        after = data["next"].as_str().map(str::to_owned);
        take(page)?;
        if count == 0 || after.is_none() {
            break;
        }
    }
    Ok(())
}

/// The lines of streams by time; `reversed`: each stream has its newest first.
pub(super) fn read(streams: &Value, reversed: bool) -> Option<Lines> {
    let mut lines = Vec::new();
    for stream in streams.as_array()? {
        let labels = pairs(&stream["stream"]);
        let mut entries = stream["values"].as_array()?.iter().map(|entry| {
            let parts = &entry[2];
            Some(Line {
                at_ns: entry[0].as_str()?.parse().ok()?,
                stream: labels.clone(),
                metadata: pairs(&parts["structuredMetadata"]),
                parsed: pairs(&parts["parsed"]),
                text: entry[1].as_str()?.to_owned(),
            })
        });
        let mut read: Lines = entries.by_ref().collect::<Option<_>>()?;
        if reversed {
            read.reverse();
        }
        lines.extend(read);
    }
    // Stable: lines of one time keep the order of their streams, and theirs within one.
    lines.sort_by_key(|line: &Line| line.at_ns);
    Some(lines)
}

fn pairs(object: &Value) -> Vec<(String, String)> {
    let pairs = object.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned())).collect()
}
