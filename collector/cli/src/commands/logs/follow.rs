//! `-f`: lines over a WebSocket, as the collector commits them.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::ask::read;
use super::lines::Writer;
use super::{FLAG, Stop};
use crate::client::Client;
use crate::error::Failure;

/// Shows the newest lines since `start_ns`, then all that come. Ends when the collector ends it, which is an error, or nobody reads.
pub(super) async fn run(
    client: &Client,
    query: String,
    start_ns: i64,
    limit: u32,
    writer: &mut Writer<'_>,
) -> Result<Vec<String>, Stop> {
    let parameters = [("query", query), ("start", start_ns.to_string()), ("limit", limit.to_string())];
    let mut socket = client.socket("/loki/api/v1/tail", &parameters, FLAG).await?;
    // Ends with the connection.
    while let Some(message) = socket.next().await {
        match message {
            Ok(Message::Text(text)) => {
                let frame: Value = serde_json::from_str(&text)
                    .map_err(|error| Failure::Unknown(format!("the collector's frame is no JSON: {error}")))?;
                let lines = read(&frame["streams"], false)
                    .ok_or_else(|| Failure::Unknown("the collector's frame has no lines".to_owned()))?;
                if let Some(note) = dropped(&frame) {
                    eprint_line(&note);
                }
                writer.write(&lines)?;
            }
            Ok(Message::Close(why)) => {
                let why = why.map(|why| why.reason.to_string()).filter(|reason| !reason.is_empty());
                return Err(ended(why.as_deref().unwrap_or("without a word")).into());
            }
            // Answers to pings go out with the next flush.
            Ok(_) => socket.flush().await.map_err(|error| ended(&error.to_string()))?,
            Err(error) => return Err(ended(&error.to_string()).into()),
        }
    }
    Err(ended("the connection closed").into())
}

fn ended(why: &str) -> Failure {
    Failure::Unknown(format!("the collector ended the live lines: {why}; run it again to go on"))
}

/// What a frame says of lines that were dropped for this reader.
pub(super) fn dropped(frame: &Value) -> Option<String> {
    let entries = frame["dropped_entries"].as_array()?;
    let count: u64 = entries.iter().map(|entry| entry["count"].as_u64().unwrap_or(1)).sum();
    (count > 0).then(|| format!("{count} lines were dropped: they came faster than they were read here"))
}

/// While lines go on, notes cannot wait for the end.
fn eprint_line(note: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "muster: {note}");
}
