//! The gate before a pipeline, with real programs: what it says of a version by its exit code, from never seen to soaked, with a check that fails,
//! a freeze and an agent that is gone.
//!
//! What is compared takes minutes at least, so canaries, rates and what is compared by itself after a deploy are in the tests of the API.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use muster_tests::harness::agent::{Agent, AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::operator::Operator;
use muster_tests::harness::programs;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

const DECLARED: &str = "[[services]]\nname = \"shop\"\nhosts = [\"role=web\"]\nchecks = [\"shop\"]\n\
    [gate]\nproduction = { after = [\"staging\"], soak = \"3s\" }\n";
const ASK: [&str; 7] = ["gate", "--service", "shop", "--version", "1.1", "--to", "production"];

/// A collector and the shop's hosts, one in staging and one in production; the one in staging checks a port.
struct Shop {
    world: Operator,
    homes: [AgentHome; 2],
    _folder: tempfile::TempDir,
    config: String,
}

impl Shop {
    fn start(programs: &Path, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).to_string_lossy().into_owned()
        };
        let config = format!(
            "[agent]\nhost_checks = false\n[metrics]\ninterval = \"1s\"\n[[checks]]\nname = \"shop\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             interval = \"1s\"\nretry = \"1s\"\ntimeout = \"1s\"\nmax_check_attempts = 1\n"
        );
        let config = file("agent.toml", &config);
        let mut options = Options::new(programs, &folder.path().join("data"));
        options.arguments.extend(["--set".to_owned(), format!("deploys.file={}", file("deploy.toml", DECLARED))]);
        let world = Operator::new(programs, Collector::start(&options).unwrap());
        let homes =
            ["st1", "web1"].map(|name| AgentHome::enrol(programs, &world.collector, folder.path(), name).unwrap());
        for (host, env) in [("st1", "env=staging"), ("web1", "env=production")] {
            world.done(&["hosts", "label", host, "role=web", env]).unwrap();
        }
        Self { world, homes, _folder: folder, config }
    }

    fn staging(&self) -> Agent {
        self.homes[0].start_with(&["--config".to_owned(), self.config.clone()]).unwrap()
    }

    fn production(&self) -> Agent {
        self.homes[1].start(&["metrics.interval=1s", "agent.host_checks=false"]).unwrap()
    }

    /// Exit code and answer of the gate with these further words.
    fn ask(&self, more: &[&str]) -> (i32, Value) {
        let words: Vec<&str> = ASK.iter().chain(more).chain(&["-o", "json"]).copied().collect();
        let (code, text, error) = self.world.run(&words).unwrap();
        (code, serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}{error}")))
    }

    /// Waits until the gate ends like that for these reasons, those that say nothing left out.
    fn until(&self, what: &str, code: i32, codes: &[&str]) -> Value {
        let mut last = Value::Null;
        until(what, LIMIT, || {
            let (ended, answer) = self.ask(&[]);
            last = answer;
            Ok(((ended, counting(&last)) == (code, codes.iter().map(|one| (*one).to_owned()).collect())).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}: {last:#}"));
        last
    }
}

/// Codes of the reasons that decide, each once.
fn counting(answer: &Value) -> Vec<String> {
    let reasons = answer["reasons"].as_array().unwrap().iter();
    let counts =
        reasons.filter(|one| one["lifted"] == false && matches!(one["effect"].as_str(), Some("no-go" | "unknown")));
    let mut codes: Vec<String> = counts.map(|one| one["code"].as_str().unwrap().to_owned()).collect();
    codes.dedup();
    codes
}

#[test]
fn a_pipeline_is_let_through_when_all_is_known_to_be_well_and_never_else() {
    let programs = programs::folder();
    // The system takes connections that nobody accepts.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shop = Shop::start(&programs, address.port());
    let (code, nothing) = shop.ask(&[]);
    assert_eq!((code, &nothing["verdict"]), (2, &Value::from("unknown")), "{nothing:#}");
    assert!(counting(&nothing).contains(&"stale".to_owned()), "{nothing:#}");
    let (staging, _production) = (shop.staging(), shop.production());
    shop.until("hosts that are heard, and a version that was never there", 2, &["never_seen"]);

    for (words, result) in [("start", None), ("finish", Some("ok"))] {
        let deploy = ["deploy", words, "--service", "shop", "--version", "1.1", "--env", "staging"];
        let result: Vec<&str> = result.into_iter().flat_map(|result| ["--result", result]).collect();
        shop.world.done(&[&deploy[..], &result].concat()).unwrap();
    }
    let (code, text, waited) = shop.world.run(&[&ASK[..], &["--wait", "60s"]].concat()).unwrap();
    assert!(code == 0 && text.starts_with("go: deploy of shop 1.1 to production"), "{text}{waited}");

    // A check fails for real: no-go, with the alert's page; who takes it has not mended it.
    drop(listener);
    let bad = shop.until("a no-go by the check", 1, &["problem"]);
    let reason = &bad["reasons"][0];
    assert!(reason["text"].as_str().unwrap().contains("of st1 in staging: critical since"), "{reason}");
    let alert = reason["evidence"].as_str().unwrap().strip_prefix("/alerts/").unwrap();
    let alerts = shop.world.get("alerts").unwrap();
    let is_it = |one: &&Value| one["id"] == alert && one["labels"]["check"] == "shop";
    assert!(alerts["alerts"].as_array().unwrap().iter().any(|one| is_it(&one)), "{alerts:#}");
    shop.world.done(&["checks", "ack", "st1", "shop", "--comment", "mine"]).unwrap();
    let (code, taken) = shop.ask(&[]);
    assert!(code == 1 && taken["reasons"][0]["text"].as_str().unwrap().contains("acknowledged"), "{taken:#}");
    let (code, waived) = shop.ask(&["--override", "--reason", "the shop is closed", "--lift", "problem"]);
    assert_eq!((code, &waived["reasons"][0]["lifted"]), (0, &Value::Bool(true)), "{waived:#}");
    let listener = TcpListener::bind(address).unwrap();
    shop.until("a go when the check is well", 0, &[]);

    // A freeze holds until somebody takes it on, with a name and a reason in the audit.
    shop.world.done(&["freeze", "new", "env=production", "--for", "1h", "--reason", "end of the year"]).unwrap();
    let frozen = shop.until("a no-go by the freeze", 1, &["freeze"]);
    assert!(frozen["reasons"][0]["text"].as_str().unwrap().contains("end of the year"), "{frozen:#}");
    let (code, lifted) = shop.ask(&["--override", "--reason", "payments fail"]);
    assert_eq!(code, 0, "{lifted:#}");
    let audit = shop.world.done(&["audit", "list"]).unwrap();
    let row = audit.lines().find(|line| line.contains("gate_decided") && line.contains("payments fail"));
    assert!(row.is_some_and(|row| row.contains("lifted by token:")), "{audit}");
    shop.world.done(&["freeze", "end", "1"]).unwrap();
    shop.until("a go without the freeze", 0, &[]);

    // Whose agent stopped is not known to be well, from the first moment on; who waits is let through when it is back.
    staging.stop().unwrap();
    let gone = shop.until("an agent that is gone", 2, &["stale"]);
    assert!(gone["reasons"][0]["text"].as_str().unwrap().contains("st1"), "{gone:#}");
    let (url, token) = (format!("http://{}", shop.world.collector.http), &shop.world.collector.token);
    let mut waiting = Command::new(programs::program(&programs, "muster"));
    waiting.args(["--url", &url, "--token", token]).args(ASK).args(["--wait", "60s"]);
    let mut waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("waiting: nothing new is known of st1 in staging"), "{line}");
    let back = shop.staging();
    let through = waiting.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&through.stdout);
    assert!(through.status.success() && text.starts_with("go: "), "{text}");

    // All of it is kept, and says the same again.
    let decisions = shop.world.done(&["gate", "decisions", "--service", "shop", "-o", "json"]).unwrap();
    let decisions: Value = serde_json::from_str(&decisions).unwrap();
    let all = decisions["decisions"].as_array().unwrap();
    let verdicts: Vec<&str> = all.iter().map(|one| one["verdict"].as_str().unwrap()).collect();
    for verdict in ["go", "no-go", "unknown"] {
        assert!(verdicts.contains(&verdict), "{verdicts:?}");
    }
    for one in all {
        let (code, text, error) = shop.world.run(&["gate", "replay", &one["id"].to_string()]).unwrap();
        assert_eq!(code, 0, "{text}{error}");
    }
    back.stop().unwrap();
    drop(listener);
}
