//! From arguments to what is printed.

use muster_common::time::Timestamp;

use crate::arguments::{Arguments, Noun};
use crate::client::{Client, Token};
use crate::commands::query::Terminal;
use crate::commands::{Printed, hosts, query, status, token};
use crate::error::Failure;

/// Does what the arguments say.
///
/// # Errors
/// [`Failure`]: one line and an exit code.
pub async fn run(arguments: &Arguments, terminal: Terminal, now: Timestamp) -> Result<Printed, Failure> {
    let folder = Token::folder(&arguments.url, arguments.data.as_deref());
    let found = Token::find(arguments.token.as_deref(), folder)?;
    let client = Client::new(&arguments.url, found)?;
    let (output, now_ms) = (arguments.output, now.millis());
    match &arguments.noun {
        Noun::Token(verb) => token::run(&client, verb, output, now_ms).await,
        Noun::Hosts(verb) => hosts::run(&client, verb, output, now_ms).await,
        Noun::Query(asked) => query::run(&client, asked, output, terminal, now_ms).await,
        Noun::Status => status::run(&client, output, now_ms).await,
    }
}
