//! Alerting over a real store, a real registry and a real engine: what a mail shows, and whether a test mail arrives.

mod before;
mod planned;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use mailparse::{MailHeaderMap, parse_mail};
use muster_common::check::CheckState;
use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::{CheckDefinition, CheckReport, Enrol, Epoch, HostFacts, Perfdata, Report};
use muster_fleet::status::{Acknowledgement, DowntimeSpec};
use muster_fleet::{By, Fleet, Reported};
use muster_query::Engine;
use muster_store::{
    Append, LogBlock, LogClass, LogEntry, Outcome, Record, Row, SampleBlock, SeriesTable, Source, Writer,
};
use resvg::tiny_skia::Pixmap;
use tempfile::TempDir;

use super::evidence::{EvidenceSource, StoreEvidence};
use super::{Alerting, Files, Parts, TestError, Tested, load_settings};
use crate::alert::Notice;
use crate::desk::Desk;
use crate::mail::{Evidence, MAIL_BYTES, Place};
use crate::notify::server::{Fault, Script, Server};
use crate::outgoing::Payload;
use crate::plot::samples::ONSET;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// A collector without sockets: whoever uses it says what time it is.
struct World {
    fleet: Arc<Fleet>,
    writer: Writer,
    evidence: Arc<StoreEvidence>,
    alerting: Arc<Alerting>,
    tick: u64,
    _folder: TempDir,
}

impl World {
    /// With receiver `ops`, whose mails go to a port of this machine.
    fn new(port: u16, addresses: &str, now_ms: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let config = muster_store::Config::new(folder.path());
        let store = muster_store::open(Arc::clone(&disk), config, at(now_ms), &mut || 7).unwrap();
        let fleet = Arc::new(muster_fleet::open(disk, folder.path(), at(now_ms)).unwrap());
        let routes = format!(
            "global: {{smtp_smarthost: '127.0.0.1:{port}', smtp_from: muster@example.org, smtp_require_tls: false}}\n\
             route: {{receiver: ops, group_by: [host], group_wait: 0s}}\n\
             receivers:\n- name: ops\n  email_configs: [{{to: '{addresses}'}}]\n- name: hook\n  webhook_configs: [{{url: 'http://127.0.0.1:1/'}}]\n"
        );
        let path = folder.path().join("alerting.yml");
        std::fs::write(&path, routes).unwrap();
        let settings = load_settings(&Files { alerting: Some(path), ..Files::default() }).unwrap();
        let engine = Arc::new(ArcSwap::from_pointee(Engine::default()));
        let evidence = Arc::new(StoreEvidence {
            reader: store.reader.clone(),
            engine: Arc::clone(&engine),
            fleet: Arc::clone(&fleet),
        });
        // Nobody takes what rules record: a full channel drops it.
        let (batches, _) = tokio::sync::mpsc::channel(1);
        let parts = Parts {
            fleet: Arc::clone(&fleet),
            reader: store.reader,
            engine,
            evidence: Arc::<StoreEvidence>::clone(&evidence),
            store: [7; 16],
            incarnation: 1,
            domain: "muster.example.org".to_owned(),
            ready: at(now_ms),
            batches,
        };
        let alerting = Alerting::start(parts, settings, at(now_ms)).unwrap();
        Self { fleet, writer: store.writer, evidence, alerting, tick: 0, _folder: folder }
    }

    fn host(&self, name: &str, machine: u8, now_ms: i64) -> HostId {
        let key = rcgen::KeyPair::generate().unwrap();
        let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        let request = Enrol {
            protocol: 1,
            token: String::new(),
            csr_der: csr.der().to_vec(),
            name: name.to_owned(),
            facts: HostFacts { machine_id: format!("{machine:032x}"), os: "Debian".into(), ..HostFacts::default() },
        };
        self.fleet.enrol(&request, "192.0.2.7", at(now_ms)).unwrap();
        let host = self.fleet.find(name).unwrap();
        self.fleet.approve(host, None, &By::Itself("operator"), at(now_ms)).unwrap();
        host
    }

    /// A result of check `disk /var`, which counts at once.
    fn result(&self, host: HostId, state: CheckState, percent: f64, at_ms: i64) {
        let number = |warn: &str, crit: &str| Perfdata {
            label: "/var".into(),
            value: percent,
            unit: "%".into(),
            warn: warn.into(),
            crit: crit.into(),
            min: f64::NAN,
            max: f64::NAN,
        };
        let definition = CheckDefinition {
            interval_ms: 60_000,
            retry_ms: 10_000,
            remedy: "Look for the largest files".into(),
            ..CheckDefinition::default()
        };
        let report = Report::Check(CheckReport {
            at_ms,
            check: "disk /var".into(),
            state: state as u8,
            output: format!("/var {percent} % used"),
            long_output: String::new(),
            perfdata: vec![number("80", "90")],
            duration_ms: 5,
            definition,
        });
        self.fleet.apply_reports(&[Reported { host, arrived: at(at_ms), is_live: true, report }]).unwrap();
    }

    fn append(&mut self, records: Vec<Record>, now_ms: i64) {
        self.tick += 1;
        let source = Source::Own { run: Epoch::new(1, 1), tick: self.tick };
        let append = Append { source, records, arrived: at(now_ms), live: true };
        let outcomes = self.writer.commit(&[append], at(now_ms)).unwrap();
        assert!(matches!(outcomes[..], [Outcome::Committed { .. }]), "{outcomes:?}");
    }

    /// What happened since the last time, as streams of the history (the collector's own delivery has these labels and fields).
    fn deliver(&mut self, now_ms: i64) {
        let events = self.fleet.undelivered(1_000).unwrap();
        let mut streams: HashMap<LabelSet, Vec<LogEntry>> = HashMap::new();
        for event in &events {
            let class = event.kind.class().as_str();
            let labels =
                [("source", "muster"), ("event", class), ("job", "muster"), ("host", event.host_name.as_str())];
            let own = event.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let fields = own.chain([("kind", event.kind.as_str()), ("by", event.by.as_str())]);
            streams.entry(LabelSet::new(labels).unwrap()).or_default().push(LogEntry {
                at_ns: event.ms * 1_000_000,
                line: event.text.clone().into_bytes(),
                fields: LabelSet::new(fields).unwrap(),
            });
        }
        let block =
            |(labels, entries)| Record::Logs(LogBlock { class: LogClass::Events, labels: Arc::new(labels), entries });
        self.append(streams.into_iter().map(block).collect(), now_ms);
        self.fleet.delivered(events.last().unwrap().seq).unwrap();
    }

    /// The notices that are due, none of which is sent.
    fn notices(&self, now_ms: i64) -> Vec<Notice> {
        self.alerting.tick(at(now_ms)).unwrap();
        let notices = self.alerting.ask(Desk::unhanded);
        for notice in &notices {
            self.alerting.change(at(now_ms), |desk| desk.hand_over(now_ms, notice, Vec::new())).unwrap();
        }
        notices
    }

    /// The mail of a notice as a receiver gets it.
    fn mail(&self, notice: &Notice, evidence: &Evidence) -> String {
        let letters = self.alerting.ask(Desk::letters);
        let (rows, faults) = letters.rows(notice, evidence, &|_, _| Place::default());
        assert_eq!((rows.len(), faults), (1, Vec::new()));
        match rows.into_iter().next().unwrap().payload {
            Payload::Mail(mail) => mail,
            Payload::Webhook(body) => panic!("no mail: {body}"),
        }
    }

    /// Log lines of one unit of a host, a minute apart.
    fn log(&mut self, host: &str, from_ms: i64, count: i64) {
        let labels = LabelSet::new([("host", host), ("job", "system"), ("unit", "postgresql.service")]).unwrap();
        let entry = |number: i64| LogEntry {
            at_ns: (from_ms + number * MINUTE) * 1_000_000,
            line: format!("could not extend file, line {number}").into_bytes(),
            fields: LabelSet::default(),
        };
        let entries = (0..count).map(entry).collect();
        let block = LogBlock { class: LogClass::Logs, labels: Arc::new(labels), entries };
        self.append(vec![Record::Logs(block)], from_ms + count * MINUTE);
    }

    /// The number of the check a minute, from then until then.
    fn samples(&mut self, host: &str, (from_ms, to_ms): (i64, i64), value: impl Fn(i64) -> f64) {
        let labels = [("__name__", "muster_check_perfdata"), ("host", host), ("check", "disk /var"), ("label", "/var")];
        let table = Arc::new(SeriesTable::new(vec![(LabelSet::new(labels).unwrap(), MetricKind::Gauge)]));
        let row = |minute: i64| Row { at_ms: from_ms + minute * MINUTE, present: None, values: vec![value(minute)] };
        let rows = (0..=(to_ms - from_ms) / MINUTE).map(row).collect();
        self.append(vec![Record::Samples(SampleBlock::Rows { table, rows })], to_ms);
    }
}

fn texts<T>(of: &[T], text: impl Fn(&T) -> &str) -> Vec<String> {
    of.iter().map(|one| text(one).to_owned()).collect()
}

/// db1 with an earlier case nine days ago, db2 with the same problem, and the notice of db1's new problem, a minute old.
fn filled() -> (World, Notice, i64) {
    let begin = ONSET - 9 * DAY;
    let mut world = World::new(1, "ann@example.org", begin);
    let (db1, db2) = (world.host("db1", 1, begin), world.host("db2", 2, begin));
    world.result(db1, CheckState::Ok, 70.0, begin);
    world.result(db2, CheckState::Ok, 70.0, begin);
    world.result(db1, CheckState::Critical, 96.0, begin + 10 * MINUTE);
    let by_anna = Acknowledgement {
        by: "anna".into(),
        comment: "old WAL removed".into(),
        at_ms: begin + 12 * MINUTE,
        until_ms: None,
        is_sticky: false,
    };
    world.fleet.acknowledge(db1, Some("disk /var"), by_anna, &By::Itself("anna"), at(begin + 12 * MINUTE)).unwrap();
    assert_eq!(world.notices(begin + 13 * MINUTE).len(), 1);
    world.result(db1, CheckState::Ok, 70.0, begin + 77 * MINUTE);
    world.notices(begin + 78 * MINUTE);
    world.deliver(begin + 78 * MINUTE);

    let now_ms = ONSET + MINUTE;
    world
        .fleet
        .relabel(
            db1,
            &BTreeMap::from([("env".into(), "prod".into())]),
            &By::Itself("operator"),
            at(ONSET - 50 * MINUTE),
        )
        .unwrap();
    world
        .fleet
        .relabel(
            db2,
            &BTreeMap::from([("env".into(), "test".into())]),
            &By::Itself("operator"),
            at(ONSET - 40 * MINUTE),
        )
        .unwrap();
    let downtime = |matchers: &str| DowntimeSpec {
        matchers: matchers.into(),
        starts_ms: ONSET - 30 * MINUTE,
        ends_ms: ONSET - 20 * MINUTE,
        owner: "bea".into(),
        reason: "new disks".into(),
        ..DowntimeSpec::default()
    };
    for matchers in ["host=db1, check=~\"disk.*\"", "host=db2"] {
        world.fleet.add_downtime(downtime(matchers), &By::Itself("bea"), at(ONSET - 30 * MINUTE)).unwrap();
    }
    world.samples("db1", (ONSET - 3 * 60 * MINUTE, ONSET), |minute| 62.0 + minute as f64 / 6.0);
    world.log("db1", ONSET - 14 * MINUTE, 15);
    world.log("db2", ONSET - 4 * MINUTE, 4);
    world.result(db2, CheckState::Critical, 91.0, ONSET - 5 * MINUTE);
    world.notices(ONSET - MINUTE);
    world.result(db1, CheckState::Critical, 92.0, ONSET);
    let notices = world.notices(now_ms);
    assert_eq!(notices.len(), 1, "{notices:#?}");
    world.deliver(now_ms);
    (world, notices.into_iter().next().unwrap(), now_ms)
}

#[test]
fn a_mail_shows_all_that_is_known_around_its_alert() {
    let (world, notice, now_ms) = filled();
    let evidence = world.evidence.gather(&notice, at(now_ms));
    let plot = evidence.plot.as_ref().unwrap();
    assert_eq!(plot.limits.iter().map(|limit| limit.value).collect::<Vec<_>>(), [90.0, 80.0]);
    assert_eq!((plot.from_ms, plot.to_ms, plot.onset_ms), (ONSET - 120 * MINUTE, now_ms, Some(ONSET)));
    assert!(plot.series[0].points.len() > 200 && plot.last() == Some(92.0), "{plot:?}");
    let marks = texts(&plot.marks, |mark| &mark.text);
    assert_eq!(marks.len(), 2, "{marks:?}");
    assert!(marks[0].contains("db1") && marks[0].contains("env"), "{marks:?}");
    assert_eq!(marks[1], "downtime 1 of host=db1, check=~\"disk.*\": new disks");
    assert_eq!(texts(&evidence.events, |event| &event.text), marks);
    let lines = texts(&evidence.log_lines, |line| &line.text);
    assert_eq!(lines, (9..15).map(|number| format!("could not extend file, line {number}")).collect::<Vec<_>>());
    assert!(evidence.log_lines.iter().all(|line| line.source == "postgresql.service"));
    assert_eq!(texts(&evidence.neighbours, |host| &host.host), ["db2"]);
    assert_eq!(evidence.neighbours[0].since_ms, ONSET - 5 * MINUTE);
    let [case] = &evidence.earlier[..] else { panic!("{:?}", evidence.earlier) };
    let begin = ONSET - 9 * DAY;
    assert_eq!((case.from_ms, case.to_ms), (begin + 10 * MINUTE, begin + 77 * MINUTE));
    assert_eq!(case.note, "anna: old WAL removed");

    let mail = world.mail(&notice, &evidence);
    assert!(mail.len() <= MAIL_BYTES && mail.is_ascii());
    let mail = parse_mail(mail.as_bytes()).unwrap();
    let part = |kind: &str| mail.parts().find(|part| part.ctype.mimetype == kind).unwrap();
    let (text, html) = (part("text/plain").get_body().unwrap(), part("text/html").get_body().unwrap());
    for words in [
        "92 %, limit 90 %, full in 48 min",
        "What to do",
        "Look for the largest files",
        "could not extend file, line 14",
        "1 = 12:13:00",
        "2 = 12:33:00 downtime 1",
        "db2 since",
        "for 1 h 7 min: anna: old WAL removed",
    ] {
        assert!(text.contains(words), "the text lacks {words}: {text}");
        assert!(html.contains(words), "the HTML lacks {words}: {html}");
    }
    assert_eq!(Pixmap::decode_png(&part("image/png").get_body_raw().unwrap()).unwrap().width(), 1200);
}

#[test]
fn the_alert_of_a_rule_is_drawn_from_before_its_onset_with_its_limit() {
    let (world, mut notice, now_ms) = filled();
    let alert = &mut notice.firing[0];
    alert.origin = crate::Origin::Rule { file: "r.yml".into(), group: "g".into(), rule: "Full".into() };
    alert.expression = "(muster_check_perfdata{check=\"disk /var\"} > 90) and on (host) muster_check_perfdata".into();
    let plot = world.evidence.gather(&notice, at(now_ms)).plot.unwrap();
    assert!(plot.series[0].points.len() > 200 && plot.series[0].points[0].1 < 80.0, "{plot:?}");
    assert_eq!(plot.limits.iter().map(|limit| (limit.value, limit.is_critical)).collect::<Vec<_>>(), [(90.0, true)]);
    let mail = world.mail(&notice, &world.evidence.gather(&notice, at(now_ms)));
    assert!(mail.contains("limit 90"), "{mail}");
}

#[test]
fn of_several_alerts_it_is_the_worst_that_has_its_evidence() {
    let (world, mut notice, now_ms) = filled();
    let mut older = notice.firing[0].clone();
    older.labels = older.labels.with(&[("alertname", "load"), ("severity", "warning")]).unwrap();
    older.expression = String::new();
    notice.firing.insert(0, older);
    let evidence = world.evidence.gather(&notice, at(now_ms));
    assert_eq!(evidence.plot.as_ref().unwrap().title, "disk /var");
    assert!(world.mail(&notice, &evidence).contains("CRITICAL since 13:03 UTC: 92 %"));
}

#[test]
fn the_end_of_an_alert_is_no_earlier_case_of_it() {
    let (mut world, _, now_ms) = filled();
    let end_ms = now_ms + 30 * MINUTE;
    world.result(world.fleet.find("db1").unwrap(), CheckState::Ok, 60.0, end_ms);
    let notices = world.notices(end_ms + 10 * MINUTE);
    let ended =
        notices.iter().find(|notice| notice.resolved.iter().any(|alert| alert.labels.get("host") == Some("db1")));
    world.deliver(end_ms + 10 * MINUTE);
    let evidence = world.evidence.gather(ended.unwrap(), at(end_ms + 10 * MINUTE));
    assert_eq!(texts(&evidence.earlier, |case| &case.note), ["anna: old WAL removed"]);
    assert_eq!(evidence.reading.unwrap().forecast, "");
}

#[tokio::test]
async fn a_test_mail_arrives_and_says_that_it_is_one() {
    let faults = [("gone@example.org", Fault::Refuse)].into();
    let server = Server::start(Script { faults, ..Script::default() }).await;
    let world = World::new(server.port, "ann@example.org, gone@example.org, Bea <bea@example.org>", ONSET);
    let tested = world.alerting.test_receiver("ops", at(ONSET)).await.unwrap();
    let accepted =
        |recipient: &str| Tested { recipient: recipient.to_owned(), accepted: true, answer: "accepted".to_owned() };
    assert_eq!((&tested[0], &tested[2]), (&accepted("ann@example.org"), &accepted("Bea <bea@example.org>")));
    assert!(!tested[1].accepted && tested[1].answer.starts_with("550"), "{tested:?}");

    let taken = server.taken.lock().clone();
    assert_eq!(taken.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["ann@example.org", "bea@example.org"]);
    for (_, mail) in &taken {
        let mail = parse_mail(mail.as_bytes()).unwrap();
        assert_eq!(mail.headers.get_first_value("Subject").unwrap(), "MusterTest");
        let root = mail.headers.get_first_value("Message-ID").unwrap();
        assert!(root.ends_with("@muster.example.org>"), "{root}");
        let text = mail.parts().find(|part| part.ctype.mimetype == "text/plain").unwrap().get_body().unwrap();
        assert!(text.contains("This is a test") && text.contains("Nothing is wrong"), "{text}");
    }
    // Nothing of it stays: neither a row nor an alert.
    assert_eq!(world.alerting.ask(|desk| (desk.queue().rows().count(), desk.dispatch().alerts().count())), (0, 0));
    assert_eq!(
        world.alerting.test_receiver("hook", at(ONSET)).await,
        Err(TestError::NoAddress { name: "hook".to_owned() })
    );
    let error = world.alerting.test_receiver("nobody", at(ONSET)).await.unwrap_err().to_string();
    assert!(error.contains("those there are are ops, hook"), "{error}");
}
