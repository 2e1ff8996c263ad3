//! `muster user add|passwd|role|disable|enable|remove|list`.

use serde_json::{Value, json};

use super::Printed;
use super::hosts::escape;
use crate::arguments::{Output, UserVerb};
use crate::client::Client;
use crate::error::Failure;
use crate::password::new_password;
use crate::table::Rows;
use crate::time::relative;

const PATH: &str = "/api/muster/v1/users";

/// # Errors
/// [`Failure`] in the collector's words.
pub async fn run(client: &Client, verb: &UserVerb, output: Output, now_ms: i64) -> Result<Printed, Failure> {
    let change = async |name: &String, body: Value| client.put_json(&format!("{PATH}/{}", escape(name)), &body).await;
    let (answer, name, done) = match verb {
        UserVerb::List => {
            let answer = client.get(PATH).await?;
            let rows = rows(&answer["users"], now_ms, output);
            return Ok(match output {
                Output::Json => Printed::json(&answer),
                Output::Csv => Printed::text(rows.to_csv()),
                Output::Table | Output::Raw => {
                    Printed::text(rows.to_table("no users: `muster user add NAME --role ROLE` makes one"))
                }
            });
        }
        UserVerb::Add { name, role, password } => {
            let password = new_password(name, password.password_file.as_deref())?;
            let body = json!({"name": name, "role": role.as_str(), "password": password});
            (client.post_json(PATH, &body).await?, name, format!("is made, with the role {}", role.as_str()))
        }
        UserVerb::Passwd { name, password } => {
            let password = new_password(name, password.password_file.as_deref())?;
            (change(name, json!({"password": password})).await?, name, "has another password".to_owned())
        }
        UserVerb::Role { name, role } => {
            let answer = change(name, json!({"role": role.as_str()})).await?;
            (answer, name, format!("has the role {}", role.as_str()))
        }
        UserVerb::Disable { name } => (change(name, json!({"disabled": true})).await?, name, "is disabled".to_owned()),
        UserVerb::Enable { name } => (change(name, json!({"disabled": false})).await?, name, "is enabled".to_owned()),
        UserVerb::Remove { name } => {
            (client.delete(&format!("{PATH}/{}", escape(name))).await?, name, "is removed".to_owned())
        }
    };
    Ok(match output {
        Output::Json => Printed::json(&answer),
        Output::Table | Output::Raw => Printed::text(format!("user {name} {done}\n")),
        Output::Csv => {
            let mut rows = Rows::new(&["NAME", "DONE"]);
            rows.rows.push(vec![name.clone(), done]);
            Printed::text(rows.to_csv())
        }
    })
}

fn rows(users: &Value, now_ms: i64, output: Output) -> Rows {
    let mut rows = Rows::new(&["NAME", "ROLE", "STATE", "LAST LOGIN", "MADE", "BY"]);
    let time = |value: &Value| match (value.as_i64(), output) {
        (Some(at_ms), Output::Csv) => at_ms.to_string(),
        (Some(at_ms), _) => relative(at_ms, now_ms),
        (None, Output::Csv) => String::new(),
        (None, _) => "never".to_owned(),
    };
    for user in users.as_array().into_iter().flatten() {
        let text = |key: &str| user[key].as_str().unwrap_or("").to_owned();
        let state = if user["disabled_ms"].is_i64() { "disabled" } else { "enabled" };
        let times = (time(&user["last_login_ms"]), time(&user["made_ms"]));
        rows.rows.push(vec![text("name"), text("role"), state.to_owned(), times.0, times.1, text("made_by")]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn users_stand_in_aligned_columns() {
        let users = json!([
            {"name": "ann", "role": "admin", "disabled_ms": null, "last_login_ms": NOW - 60_000, "made_ms": NOW - 90_000_000, "made_by": "token:3f2a"},
            {"name": "bea", "role": "viewer", "disabled_ms": NOW, "last_login_ms": null, "made_ms": NOW - 5_000, "made_by": "user:ann"},
        ]);
        assert_eq!(
            rows(&users, NOW, Output::Table).to_table(""),
            "\
NAME  ROLE    STATE     LAST LOGIN  MADE      BY
ann   admin   enabled   1m ago      1d1h ago  token:3f2a
bea   viewer  disabled  never       5s ago    user:ann
"
        );
        assert!(rows(&users, NOW, Output::Csv).to_csv().contains("bea,viewer,disabled,,1699999995000,user:ann\n"));
    }
}
