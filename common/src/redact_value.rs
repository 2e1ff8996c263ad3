//! Secrets cut out of structured texts, for archives that leave the machine: by the names of keys, by what stands in command lines, and by
//! [`super::redact`]'s patterns in every text that is left. What is in doubt goes.

use serde_json::Value;

use crate::redact::{KeyState, MARK, Redactor};

/// Parts of keys whose values are secrets, whatever they look like.
const SECRET_PARTS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "authorization",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "cookie",
    "community",
    "headers",
    "webhook",
];
/// Keys that are secrets as a whole word only: `key` is not `keys_max`.
const SECRET_KEYS: [&str; 8] = ["key", "auth", "pass", "pwd", "psk", "env", "patterns", "word"];
/// Options of plugins whose next word, or whose rest, is a secret or a name that goes with one.
const SECRET_OPTIONS: [&str; 10] = ["-p", "-P", "-a", "-A", "-b", "-C", "-k", "-u", "-U", "-X"];

/// Whether a key of this name holds a secret.
pub fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    // Files that hold secrets are named, not shown.
    if name.ends_with("_file") {
        return false;
    }
    SECRET_KEYS.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// Cuts secrets out of a value and all that is in it.
pub fn redact_value(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                if name == "command" && inner.is_array() {
                    redact_command(inner, redactor);
                } else if is_secret_key(name) {
                    hide(inner);
                } else {
                    redact_value(inner, redactor);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact_value(item, redactor)),
        Value::String(text) => *text = redact_text(text, redactor),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts what the patterns know out of a text of any number of lines, and the parameters of URLs.
pub fn redact_text(text: &str, redactor: &Redactor) -> String {
    let mut key = KeyState::default();
    let lines = text.split('\n').map(|line| {
        let mut bytes = without_parameters(line).into_bytes();
        redactor.redact(&mut bytes, &mut key);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn mark() -> String {
    String::from_utf8_lossy(MARK).into_owned()
}

/// Names of keys below stay, so that one sees what is set.
fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(hide),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Null | Value::Bool(_) => {}
        Value::Number(_) | Value::String(_) => *value = Value::String(mark()),
    }
}

/// Of a command line the program, its options, numbers and paths stay; any other word may be a password, and which one only the plugin knows.
fn redact_command(words: &mut Value, redactor: &Redactor) {
    let Value::Array(words) = words else { return };
    let mut after_secret = false;
    for (number, word) in words.iter_mut().enumerate() {
        let Value::String(text) = word else { continue };
        let is_program = number == 0;
        let follows = std::mem::take(&mut after_secret);
        if is_program {
            *text = redact_text(text, redactor);
        } else if let Some((name, value)) = text.split_once('=').filter(|(name, _)| name.starts_with("--")) {
            let keeps = is_harmless(value) && !is_secret_key(name.trim_start_matches('-'));
            *text = format!("{name}={}", if keeps { value.to_owned() } else { mark() });
        } else if text.starts_with("--") {
            after_secret = is_secret_key(text.trim_start_matches('-'));
        } else if text.starts_with('-') && text.len() > 1 && !is_harmless(text) {
            after_secret = SECRET_OPTIONS.contains(&text.as_str());
            let (head, rest) = text.split_at(text.char_indices().nth(2).map_or(text.len(), |(at, _)| at));
            if !rest.is_empty() && (SECRET_OPTIONS.contains(&head) || !is_harmless(rest)) {
                *text = format!("{head}{}", mark());
            }
        } else if follows || !is_harmless(text) {
            *text = mark();
        }
    }
}

/// A number, a threshold, or an absolute path.
fn is_harmless(word: &str) -> bool {
    let is_number = word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || b".,:;%@~+-".contains(&byte));
    let is_path = word.starts_with('/')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte))
        && word.split('/').all(|part| part.len() <= 64);
    is_number || is_path
}

/// `https://host/path?...`: what stands behind the question mark goes, since tokens do.
fn without_parameters(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        out.push_str(before);
        let end = url.find(|one: char| one.is_whitespace() || "\"'<>`".contains(one)).unwrap_or(url.len());
        match url[..end].find(['?', '#']) {
            Some(mark_at) => {
                out.push_str(&url[..=mark_at]);
                out.push_str(&mark());
            }
            None => out.push_str(&url[..end]),
        }
        rest = &url[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(mut value: Value) -> Value {
        redact_value(&mut value, &Redactor::new(&[]).unwrap());
        value
    }

    #[test]
    fn keys_that_hold_secrets_lose_their_values_and_keep_their_names() {
        let value = json!({
            "smtp_auth_password": "hunter2", "auth_password_file": "/etc/x", "Api-Key": 5, "key": ["a", {"b": "c"}],
            "enabled_token": true, "keys_max": 7, "plain": "password=hunter2", "headers": {"X-One": "two"},
            "env": {"PGPASSWORD": "hunter2"}, "none": null,
        });
        assert_eq!(
            redacted(value),
            json!({
                "smtp_auth_password": "<redacted>", "auth_password_file": "/etc/x", "Api-Key": "<redacted>",
                "key": ["<redacted>", {"b": "<redacted>"}], "enabled_token": true, "keys_max": 7,
                "plain": "password=<redacted>", "headers": {"X-One": "<redacted>"}, "env": {"PGPASSWORD": "<redacted>"},
                "none": null,
            })
        );
    }

    #[test]
    fn of_command_lines_program_options_numbers_and_paths_stay() {
        let shown = |words: &[&str]| {
            let value = redacted(json!({"command": words}));
            let words = value["command"].as_array().unwrap();
            words.iter().map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        for (words, expect) in [
            (&["/p/check_disk", "-w", "10%", "-c5%", "-x", "/boot"][..], "/p/check_disk -w 10% -c5% -x /boot"),
            (&["/p/check_mysql", "-u", "nag", "-p", "12345"], "/p/check_mysql -u <redacted> -p <redacted>"),
            (&["/p/check_mysql", "-phunter2", "-w10"], "/p/check_mysql -p<redacted> -w10"),
            (&["/p/check_x", "--password=5", "--port=80"], "/p/check_x --password=<redacted> --port=80"),
            (&["/p/check_x", "--token", "77", "-w", "-5"], "/p/check_x --token <redacted> -w -5"),
            (&["/p/check_x", "hunter2", "--url=http://a/b"], "/p/check_x <redacted> --url=<redacted>"),
        ] {
            assert_eq!(shown(words), expect);
        }
    }

    #[test]
    fn urls_lose_their_parameters_and_passwords() {
        let redactor = Redactor::new(&[]).unwrap();
        for (text, expect) in [
            ("see https://u:p4ss@h/x?sig=abc next", "see https://u:<redacted>@h/x?<redacted> next"),
            ("a\nurl = \"http://h/#frag\"", "a\nurl = \"http://h/#<redacted>\""),
            ("nothing here?", "nothing here?"),
        ] {
            assert_eq!(redact_text(text, &redactor), expect);
        }
    }
}
