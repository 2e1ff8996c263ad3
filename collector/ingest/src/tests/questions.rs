//! Questions over real QUIC: to who answers, who does not, who never could, and who answers what was not asked.

use std::time::Duration;

use muster_common::ask::Sieve;
use muster_common::host::HostId;
use muster_common::inventory::{Row, Value};
use muster_common::time::monotonic;
use muster_common::wire::message::{Answer, AnswerWord, Ask, Hello, Message};
use muster_fleet::{AskOutcome, MissingWhy, Question, Waiting};

use super::Collector;
use super::agent::{Agent, hello};

fn question(within: Duration) -> Question {
    let sieve = Sieve::of("users", &["name".to_owned()], &[]).unwrap();
    Question { sieve, filters: Vec::new(), is_whole: false, rows_max: 1_000, within }
}

/// A host that is enrolled, and one that is connected too and reads questions.
async fn enrolled(collector: &Collector, name: &str) -> (HostId, super::agent::Credentials) {
    let credentials = Agent::enrol(collector.ingest.agents_addr(), &collector.token(name)).await.unwrap();
    (collector.fleet.find(name).unwrap(), credentials)
}

async fn connected(collector: &Collector, name: &str, reads: bool) -> (HostId, Agent) {
    let (host, credentials) = enrolled(collector, name).await;
    let mut agent = Agent::dial(collector.ingest.agents_addr(), &credentials).await;
    let extensions = if reads { vec![Hello::frames_known()] } else { Vec::new() };
    agent.say(Message::Hello(Hello { extensions, ..hello(&[]) })).await;
    assert!(matches!(agent.hear().await, Some(Message::Welcome(_))));
    (host, agent)
}

async fn heard(agent: &mut Agent) -> Ask {
    match agent.hear().await {
        Some(Message::Ask(ask)) => ask,
        other => panic!("{other:?} instead of a question"),
    }
}

fn names(id: u64, names: &[&str]) -> Message {
    rows(id, names.iter().map(|name| vec![Value::from(*name)]).collect())
}

fn rows(id: u64, rows: Vec<Row>) -> Message {
    Message::Answer(Answer {
        id,
        word: AnswerWord::Rows,
        columns: vec!["name".to_owned()],
        rows,
        dropped: 0,
        problem: String::new(),
        extensions: Vec::new(),
    })
}

fn missing(outcome: &AskOutcome) -> Vec<(HostId, MissingWhy)> {
    outcome.missing.iter().map(|one| (one.host, one.why)).collect()
}

async fn all(mut waiting: Waiting) -> AskOutcome {
    tokio::time::timeout(Duration::from_secs(60), waiting.all()).await.expect("an end before the time is over")
}

#[tokio::test]
async fn a_question_ends_with_the_last_answer_and_names_who_is_missing() {
    let collector = Collector::start().await;
    let (one, mut first) = connected(&collector, "web1", true).await;
    let (two, mut second) = connected(&collector, "web2", true).await;
    let (old, _older) = connected(&collector, "old", false).await;
    let (away, _) = enrolled(&collector, "away").await;
    let (leaves, mut leaver) = connected(&collector, "leaves", true).await;
    let hosts = vec![one, two, old, away, leaves];
    let waiting = collector.fleet.ask(question(Duration::from_secs(30)), hosts, monotonic()).unwrap();
    let ask = heard(&mut first).await;
    assert_eq!((ask.table.as_str(), ask.columns.clone(), ask.within_ms), ("users", vec!["name".to_owned()], 22_500));
    heard(&mut leaver).await;
    drop(leaver);
    first.say(names(ask.id, &["root", "ann"])).await;
    let ask = heard(&mut second).await;
    second.say(names(ask.id, &["root"])).await;
    let outcome = all(waiting).await;
    let told: Vec<(Value, u64)> = outcome.rows.iter().map(|row| (row.values[0].clone(), row.on_hosts)).collect();
    assert_eq!(told, [("root".into(), 2), ("ann".into(), 1)]);
    let expect = [(old, MissingWhy::TooOld), (away, MissingWhy::Silent), (leaves, MissingWhy::Gone)];
    assert_eq!((missing(&outcome), outcome.answered), (expect.to_vec(), 2));
    assert_eq!(collector.stat("questions_total", "") as u64, 3, "sent to three");
}

#[tokio::test]
async fn answers_to_nothing_change_nothing_and_the_session_goes_on() {
    let collector = Collector::start().await;
    let (good, mut agent) = connected(&collector, "good", true).await;
    let (evil, mut other) = connected(&collector, "evil", true).await;
    let waiting = collector.fleet.ask(question(Duration::from_secs(30)), vec![good, evil], monotonic()).unwrap();
    let ask = heard(&mut agent).await;
    heard(&mut other).await;
    // For another question, then a full one of control characters, then a second one.
    other.say(names(ask.id.wrapping_add(1), &["x"])).await;
    let row = |at: usize| vec![Value::Text(format!("{at}{}", "\u{1}\u{1b}".repeat(100)))];
    other.say(rows(ask.id, (0..1_000).map(row).collect())).await;
    other.say(names(ask.id, &["x"])).await;
    agent.say(names(ask.id, &["root"])).await;
    let outcome = all(waiting).await;
    assert_eq!((outcome.answered, outcome.rows.len(), outcome.dropped), (2, 1_001, 0));
    assert!(!outcome.rows.iter().any(|row| row.values == ["x".into()]), "what was not asked");
    // The same session answers the next question; one whose time is over answers to nobody.
    let waiting = collector.fleet.ask(question(Duration::from_secs(30)), vec![evil], monotonic()).unwrap();
    let ask = heard(&mut other).await;
    let outcome = waiting.end(monotonic());
    assert_eq!(missing(&outcome), [(evil, MissingWhy::Late)]);
    other.say(names(ask.id, &["late"])).await;
    let waiting = collector.fleet.ask(question(Duration::from_secs(30)), vec![evil], monotonic()).unwrap();
    let ask = heard(&mut other).await;
    other.say(names(ask.id, &["now"])).await;
    assert_eq!(all(waiting).await.rows[0].values, ["now".into()]);
    let stray = collector.stat("ingest_answers_total", "stray");
    assert_eq!(stray, 2.0, "one for another question, and a second one");
}
