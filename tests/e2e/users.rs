//! Users, logins and the audit, over the real programs.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use muster_tests::harness::agent::{muster, run, until};
use muster_tests::harness::collector::{Collector, Options, signal};
use muster_tests::harness::http::{Answer, Connection};
use muster_tests::harness::programs;
use serde_json::json;

use super::LIMIT;

const PASSWORD: &str = "correct horse battery";

/// A request of a browser, without a token.
fn browser(collector: &Collector, method: &str, path: &str, headers: &[String], body: &str) -> Answer {
    let mut all = vec!["Connection: close".to_owned(), "Content-Type: application/json".to_owned()];
    all.extend_from_slice(headers);
    Connection::open(collector.http).unwrap().request(method, path, &all, body.as_bytes()).unwrap()
}

fn log_in(collector: &Collector, password: &str) -> Answer {
    let body = json!({"user": "ann", "password": password}).to_string();
    browser(collector, "POST", "/api/muster/v1/login", &[], &body)
}

/// `muster` with the session of this file and no token.
fn as_user(programs: &Path, collector: &Collector, session: &Path, words: &[&str]) -> (i32, String, String) {
    let (url, session) = (format!("http://{}", collector.http), session.to_string_lossy().into_owned());
    let mut all = vec!["--url", &url, "--session", &session];
    all.extend(words);
    run(programs, "muster", &all).unwrap()
}

/// These rows are a whole chain, and a hash that none of them has is missed.
fn verified(programs: &Path, collector: &Collector, rows: &[serde_json::Value]) {
    let (code, text, error) = muster(programs, collector, &["audit", "verify"]).unwrap();
    assert!(
        code == 0 && text.starts_with(&format!("ok: {} rows (1 to {}), ", rows.len(), rows.len())),
        "{text}{error}"
    );
    let head = text.lines().last().unwrap().to_owned();
    assert_eq!(rows.last().unwrap()["hash"], head.as_str());
    let (code, text, _) = muster(programs, collector, &["audit", "verify", "--head", &head]).unwrap();
    assert!(code == 0 && text.contains(&format!("; the noted hash is that of row {}", rows.len())), "{text}");
    let (code, text, _) = muster(programs, collector, &["audit", "verify", "--head", &"ab".repeat(32)]).unwrap();
    assert!(code == 1 && text.starts_with("broken: no row has the hash abab"), "{text}");
}

#[test]
fn a_user_is_made_logs_in_and_all_of_it_is_in_the_audit() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(&programs, &folder.path().join("data"));
    let collector = Collector::start(&options).unwrap();
    let file = folder.path().join("password");
    let password_file = file.to_string_lossy().into_owned();
    let add = ["user", "add", "ann", "--role", "operator", "--password-file", &password_file];

    std::fs::write(&file, "short\n").unwrap();
    let (code, _, error) = muster(&programs, &collector, &add).unwrap();
    assert!(code == 2 && error.contains("the password is too short"), "{code}: {error}");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let (code, text, error) = muster(&programs, &collector, &add).unwrap();
    assert_eq!((code, text.as_str()), (0, "user ann is made, with the role operator\n"), "{error}");

    // As a browser: the wrong password, the right one, a look, a change of this page and of another, the end.
    assert_eq!(log_in(&collector, "a wrong password").status, 401);
    let answer = log_in(&collector, PASSWORD);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let set = answer.header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("muster=") && set.contains("; HttpOnly; SameSite=Strict"), "{set}");
    let cookie = format!("Cookie: {}", set.split(';').next().unwrap());
    let own = [cookie.clone(), format!("Origin: http://{}", collector.http)];
    let foreign = [cookie.clone(), "Origin: http://evil.example".to_owned()];
    let me = browser(&collector, "GET", "/api/muster/v1/me", &own[..1], "");
    assert_eq!(me.json().unwrap()["by"], "user:ann", "{}", me.text());
    let hosts = browser(&collector, "GET", "/api/muster/v1/hosts", &own[..1], "");
    assert_eq!(hosts.status, 200);
    let downtime = json!({"matchers": ["host=db1"], "ends_ms": 4_000_000_000_000_i64, "reason": "disks"}).to_string();
    assert_eq!(browser(&collector, "POST", "/api/muster/v1/downtimes", &foreign, &downtime).status, 403);
    assert_eq!(browser(&collector, "POST", "/api/muster/v1/downtimes", &own, &downtime).status, 201);
    assert_eq!(browser(&collector, "POST", "/-/flush", &own, "").status, 403);

    // A session outlives a restart; the configuration read anew is the files' doing.
    signal(collector.id, "HUP").unwrap();
    until("the reload in the audit", LIMIT, || {
        let rows = collector.get("/api/muster/v1/audit?by=file")?.json()?;
        Ok((rows["rows"][0]["action"] == "config_reloaded").then_some(()))
    })
    .unwrap();
    assert!(collector.stop().unwrap().success());
    let collector = Collector::start(&options).unwrap();
    let own = [cookie, format!("Origin: http://{}", collector.http)];
    assert_eq!(browser(&collector, "GET", "/api/muster/v1/me", &own[..1], "").status, 200);
    assert_eq!(browser(&collector, "POST", "/api/muster/v1/logout", &own, "").status, 200);
    assert_eq!(browser(&collector, "GET", "/api/muster/v1/me", &own[..1], "").status, 401);

    let (code, text, error) = muster(&programs, &collector, &["audit", "list", "-o", "json"]).unwrap();
    assert_eq!(code, 0, "{error}");
    let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = rows["rows"].as_array().unwrap();
    let told: Vec<(&str, &str, &str)> = rows
        .iter()
        .map(|row| (row["by"].as_str().unwrap(), row["action"].as_str().unwrap(), row["result"].as_str().unwrap()))
        // Refusals of one second are one row, whichever was the first.
        .filter(|(_, _, result)| *result == "done")
        .collect();
    let admin = format!("token:{}", collector.token.split('.').next().unwrap());
    assert_eq!(
        told,
        [
            (admin.as_str(), "user_made", "done"),
            ("user:ann", "session_made", "done"),
            ("user:ann", "downtime_set", "done"),
            ("file", "config_reloaded", "done"),
            ("user:ann", "session_ended", "done"),
        ]
    );
    assert!(rows.iter().all(|row| row["source"] == "127.0.0.1" || row["source"] == "file"), "{text}");
    assert!(rows.iter().any(|row| row["action"] == "login_failed" && row["result"] == "refused"), "{text}");
    assert!(!text.contains(PASSWORD) && !text.contains(set.split(['=', ';']).nth(1).unwrap()), "{text}");

    verified(&programs, &collector, rows);
    let words = ["audit", "list", "--by", "user:ann", "-o", "csv"];
    let (code, text, error) = muster(&programs, &collector, &words).unwrap();
    assert!(code == 0 && text.lines().count() >= 4, "{text}{error}");
    assert!(text.lines().skip(1).all(|line| line.contains(",user:ann,127.0.0.1,")), "{text}");
}

#[test]
fn muster_login_makes_the_commands_that_follow_the_users() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let (file, session) = (folder.path().join("password"), folder.path().join("own/session.json"));
    std::fs::write(&file, PASSWORD).unwrap();
    let password_file = file.to_string_lossy().into_owned();
    let add = ["user", "add", "ann", "--role", "viewer", "--password-file", &password_file];
    assert_eq!(muster(&programs, &collector, &add).unwrap().0, 0);

    let user = |words: &[&str]| as_user(&programs, &collector, &session, words);
    let (code, text, error) = user(&["login", "ann", "--password-file", &password_file]);
    assert!(code == 0 && text.starts_with("logged in as ann, viewer, until "), "{text}{error}");
    let (code, _, error) = user(&["hosts", "list"]);
    assert_eq!(code, 0, "{error}");
    let (code, _, error) = user(&["user", "list"]);
    assert!(code == 2 && error.contains("user:ann may read, but this needs admin"), "{code}: {error}");

    // Another role ends what the user could do before.
    let (code, _, error) = muster(&programs, &collector, &["user", "role", "ann", "admin"]).unwrap();
    assert_eq!(code, 0, "{error}");
    let (code, _, error) = user(&["hosts", "list"]);
    assert!(code == 2 && error.contains("`muster login ann` logs in again"), "{code}: {error}");
    assert_eq!(user(&["login", "ann", "--password-file", &password_file]).0, 0);
    let (code, text, error) = user(&["user", "list"]);
    assert!(code == 0 && text.contains("ann   admin  enabled"), "{text}{error}");
    let (code, text, error) = user(&["logout"]);
    assert_eq!((code, text.as_str()), (0, "ann is logged out\n"), "{error}");
    assert_eq!(user(&["logout"]).0, 1);

    // Disabled: the same answer as for a wrong password.
    assert_eq!(muster(&programs, &collector, &["user", "disable", "ann"]).unwrap().0, 0);
    let (code, _, error) = user(&["login", "ann", "--password-file", &password_file]);
    assert!(code == 2 && error.starts_with("muster: the user or the password is wrong"), "{code}: {error}");
}

#[test]
fn a_password_is_asked_for_twice_on_the_terminal_and_never_shown() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let program = programs::program(&programs, "muster");
    let command = format!(
        "{} --url http://{} --token {} user add ann --role viewer",
        program.display(),
        collector.http,
        collector.token
    );
    // A terminal of its own, on which this test types.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut shown = Vec::new();
    for prompt in ["New password of user ann: ", "Once more: "] {
        while !String::from_utf8_lossy(&shown).ends_with(prompt) {
            let mut byte = [0];
            screen.read_exact(&mut byte).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&shown)));
            shown.extend(byte);
        }
        keys.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    }
    screen.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(terminal.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("user ann is made, with the role viewer") && !shown.contains(PASSWORD), "{shown}");
    assert_eq!(log_in(&collector, PASSWORD).status, 200);
}
