//! `muster login NAME`, `muster logout`.

use serde_json::{Value, json};

use super::Printed;
use crate::arguments::{LoginArguments, Output};
use crate::client::Client;
use crate::error::Failure;
use crate::password::password;
use crate::session::{Session, Sessions};
use crate::time::moment;

/// Logs in, and keeps the session for the commands that follow.
///
/// # Errors
/// [`Failure`] in the collector's words, or the file cannot be written.
pub async fn log_in(
    client: &Client,
    asked: &LoginArguments,
    mut sessions: Sessions,
    url: &str,
    output: Output,
) -> Result<Printed, Failure> {
    let password = password(&asked.name, asked.password.password_file.as_deref())?;
    let body = json!({"user": asked.name, "password": password});
    let (answer, cookie) = client.log_in("/api/muster/v1/login", &body).await?;
    let user = answer["user"].as_str().unwrap_or(&asked.name).to_owned();
    let ends_ms = answer["ends_ms"].as_i64().unwrap_or(0);
    sessions.put(url, Some(Session { user: user.clone(), cookie, ends_ms }))?;
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Table | Output::Raw | Output::Csv => {
            let role = answer["role"].as_str().unwrap_or("");
            Printed::text(format!("logged in as {user}, {role}, until {}\n", moment(ends_ms)))
        }
    })
}

/// Ends the session that [`log_in`] kept.
///
/// # Errors
/// There is none; [`Failure`] in the collector's words.
pub async fn log_out(client: &Client, mut sessions: Sessions, url: &str, output: Output) -> Result<Printed, Failure> {
    let Some(session) = sessions.find(url).cloned() else {
        return Err(Failure::Refused(format!("nobody is logged in at {url}: `muster login NAME` logs in")));
    };
    let ended = client.post_json("/api/muster/v1/logout", &Value::Null).await;
    // It is forgotten here in any case: the collector may have ended it before.
    sessions.put(url, None)?;
    let answer = ended?;
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Table | Output::Raw | Output::Csv => Printed::text(format!("{} is logged out\n", session.user)),
    })
}
