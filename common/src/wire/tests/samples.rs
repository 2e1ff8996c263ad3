//! One frame of every kind, with every field filled and every form of number in it. The golden files hold just these.

use crate::wire::frame::Frame;
use crate::wire::inventory::{InventoryReport, InventoryWord, TableReport, Value};
use crate::wire::message::{
    Ack, AgentGoodbye, Answer, AnswerWord, Ask, AskFilter, AskTest, CheckDefinition, CheckList, CheckReport,
    ClockAnswer, ClockProbe, CollectorGoodbye, Configuration, ConfigurationState, ConfigurationWord, Context, Enrol,
    Enrolled, Epoch, EventReport, Extension, Gap, GapReason, GoodbyeReason, HeldEpoch, Hello, HostFacts,
    InventoryWanted, Lane, LogBatch, LogLine, LogStream, Mark, Message, MetricBatch, NeedContext, Perfdata, Position,
    Positions, Problem, Problems, ProcessLook, ProcessUse, ProofStep, RefusalCode, Refused, Renew, Renewed, Report,
    ReportBatch, Scrape, SeriesEntry, SourceId, SourceRange, Task, TaskAck, TaskApproval, TaskCall, TaskCancel,
    TaskCatalogue, TaskOutput, TaskState, TaskWord, Throttle, Welcome, WireLabel,
};
use crate::wire::metrics::RowCoder;

pub(super) const EPOCH: Epoch = Epoch([0, 0, 1, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 1, 2, 3, 4, 5, 6, 7, 8]);
const OLDER: Epoch = Epoch([0, 0, 1, 0x9a, 0xbc, 0xde, 0, 0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8]);
const CALL: TaskCall = TaskCall { order: [0xc0; 16], step: 1 };
const NOW_MS: i64 = 1_795_000_000_123;

/// Name, own label, kind, scale, value in the context's row, values of the two scrapes (`None`: it has none).
type Series = (&'static str, &'static str, u8, u8, f64, [Option<f64>; 2]);

/// The series of the sample context.
pub(super) const SERIES: [Series; 11] = [
    ("node_cpu_seconds_total", "idle", 1, 2, 12.34, [Some(12.5), Some(12.34)]),
    ("node_cpu_seconds_total", "user", 1, 2, 1.07, [Some(1.06), None]),
    ("node_memory_MemFree_bytes", "", 2, 0, 8_123_456_512.0, [Some(8_123_452_416.0), Some(0.0)]),
    ("node_load1", "", 2, 2, 0.25, [Some(f64::NAN), Some(-0.0)]),
    ("node_ended", "", 2, 0, 3.0, [Some(f64::from_bits(crate::sample::STALE_BITS)), None]),
    (
        "node_odd",
        "payload",
        0,
        255,
        f64::from_bits(0x7ff8_0000_0000_beef),
        [Some(0.1), Some(f64::from_bits(0x7ff8_0000_0000_beef))],
    ),
    ("node_fine", "", 2, 9, 0.123_456_789, [Some(0.123_456_788), Some(f64::INFINITY)]),
    ("node_huge", "", 2, 0, 1e300, [Some(1e300), Some(7.0)]),
    ("node_zero", "", 2, 0, -0.0, [Some(-0.0), Some(0.0)]),
    ("node_exact", "", 3, 0, 9_007_199_254_740_992.0, [Some(-9_007_199_254_740_992.0), Some(f64::NEG_INFINITY)]),
    ("node_last", "", 4, 3, 1.5, [None, Some(2.125)]),
];

pub(super) fn facts() -> HostFacts {
    HostFacts {
        host_name: "db1.example".into(),
        machine_id: "0123456789abcdef0123456789abcdef".into(),
        os: "Debian GNU/Linux 13 (trixie)".into(),
        kernel: "6.12.0".into(),
        architecture: "x86_64".into(),
        processors: 251,
        memory_bytes: 16_777_216_000,
        virtualisation: "kvm".into(),
    }
}

fn extensions() -> Vec<Extension> {
    vec![Extension { id: 7, bytes: vec![1, 2, 3] }, Extension { id: 65_535, bytes: Vec::new() }]
}

fn label(name: &str, value: &str) -> WireLabel {
    WireLabel { name: name.into(), value: value.into() }
}

fn source(path: &str) -> SourceId {
    SourceId {
        device: 2049,
        inode: 65_536,
        fingerprint: u64::MAX,
        fingerprint_bytes: 1024,
        incarnation: 3,
        path: path.into(),
    }
}

pub(super) fn context() -> Context {
    let series = SERIES.iter().map(|(name, mode, kind, scale, ..)| SeriesEntry {
        name: (*name).into(),
        labels: if mode.is_empty() { Vec::new() } else { vec![label("mode", mode)] },
        kind: *kind,
        scale: *scale,
    });
    let row = SERIES.iter().map(|one| one.4);
    Context { id: 70_000, series: series.collect(), row: row.collect(), extensions: extensions() }
}

fn scrape(which: usize) -> Scrape {
    let (mut present, mut values) = (vec![0; SERIES.len().div_ceil(8)], Vec::new());
    for (index, one) in SERIES.iter().enumerate() {
        if let Some(value) = one.5[which] {
            present[index / 8] |= 1 << (index % 8);
            values.push(value);
        }
    }
    let mut scrape =
        Scrape { at_ms: 0, present: Vec::new(), differs: Vec::new(), changes: Vec::new(), raw: Vec::new() };
    let at_ms = NOW_MS + 10_000 * i64::try_from(which).unwrap();
    RowCoder::new(&context()).unwrap().encode(at_ms, Some(&present), &values, &mut scrape).unwrap();
    scrape
}

fn welcome() -> Welcome {
    Welcome {
        host_id: [9; 16],
        host_name: "db1".into(),
        store_id: [0xab; 16],
        incarnation: 2,
        clock_ms: NOW_MS,
        marks: vec![
            Mark { epoch: OLDER, lane: Lane::P0, seq: 250, arrived_ms: NOW_MS - 86_400_000 },
            Mark { epoch: EPOCH, lane: Lane::P1, seq: 4_294_967_296, arrived_ms: -1 },
        ],
        position_pages: 1,
        lanes: 0b111,
        throttle: Throttle { linger_ms: 1000, hold_ms: 0 },
        extensions: extensions(),
    }
}

fn hello() -> Hello {
    Hello {
        protocol: 1,
        agent_version: "0.1.0".into(),
        boot_id: [0xb0; 16],
        clock_ms: NOW_MS,
        started_ms: NOW_MS - 5_000,
        facts: facts(),
        epochs: vec![
            HeldEpoch { epoch: OLDER, last_seq: [250, 251, 65_535] },
            HeldEpoch { epoch: EPOCH, last_seq: [0, 65_536, 4_294_967_296] },
        ],
        extensions: extensions(),
    }
}

fn reports() -> ReportBatch {
    ReportBatch {
        reports: vec![
            Report::Check(CheckReport {
                at_ms: NOW_MS,
                check: "disk".into(),
                state: 2,
                output: "DISK CRITICAL - /var 96 %, \u{e4}rger".into(),
                long_output: "/var: 96 % of 80 GB\n/: 40 % of 20 GB".into(),
                perfdata: vec![Perfdata {
                    label: "/var".into(),
                    value: 96.0,
                    unit: "%".into(),
                    warn: "90".into(),
                    crit: "@95:".into(),
                    min: 0.0,
                    max: 100.0,
                }],
                duration_ms: 311,
                definition: CheckDefinition {
                    kind: 1,
                    interval_ms: 60_000,
                    retry_ms: 15_000,
                    max_attempts: 3,
                    ttl_ms: 4_294_967_296,
                    volatile: true,
                    parents: vec!["gate1".into(), "db1/postgres".into()],
                    labels: vec![label("team", "storage")],
                    remedy: "grow the volume".into(),
                },
            }),
            Report::Event(EventReport {
                at_ms: NOW_MS + 1,
                kind: "boot".into(),
                text: "booted".into(),
                fields: vec![label("boot", "b0")],
            }),
            Report::Checks(CheckList { at_ms: NOW_MS + 2, checks: vec!["disk".into(), "load".into()] }),
        ],
        extensions: extensions(),
    }
}

/// Reports of kind 3, which came later than the others: a frame of their own.
pub(super) fn processes() -> Frame {
    let worker = ProcessUse {
        pid: 70_000,
        started_ms: NOW_MS - 86_400_000,
        name: "postgres".into(),
        command: "postgres".into(),
        arguments: 3,
        user: "postgres".into(),
        state: b'R',
        threads: 300,
        has_cpu: true,
        cpu: 39_950,
        rss_bytes: 5 << 30,
        has_io: true,
        read_rate: 70_000,
        write_rate: 0,
    };
    let unknown = ProcessUse {
        pid: 1,
        started_ms: -1,
        name: "a \u{1b}[31m)".into(),
        user: "4294967294".into(),
        state: b'Z',
        ..ProcessUse::default()
    };
    let look = ProcessLook {
        at_ms: NOW_MS,
        span_ms: 30_001,
        interval_ms: 30_000,
        seen: 251,
        running: 2,
        blocked: 1,
        zombies: 65_536,
        unseen: 7,
        processes: vec![worker, unknown],
        extensions: extensions(),
    };
    let off = ProcessLook { at_ms: NOW_MS + 1, ..ProcessLook::default() };
    let reports = vec![Report::Processes(look), Report::Processes(off)];
    let batch = ReportBatch { reports, extensions: Vec::new() };
    Frame::batch(Lane::P0, EPOCH, 2, Message::Reports(batch))
}

/// Reports of kind 4, which came later still.
pub(super) fn inventory() -> Frame {
    let package = |version: &str| -> Vec<Value> {
        vec!["dpkg".into(), "openssl".into(), "amd64".into(), version.into(), Value::Null, "installed".into()]
    };
    let table = |table, digest, word| TableReport { table, digest, dropped: 70_000, word };
    let look = InventoryReport {
        at_ms: NOW_MS,
        since_ms: NOW_MS - 900_000,
        tables: vec![
            table(1, u64::MAX, InventoryWord::Unchanged),
            table(
                6,
                1 << 63,
                InventoryWord::Changed {
                    from: 251,
                    gone: vec![package("")[..3].to_vec(), Vec::new()],
                    now: vec![package("3.0.2")],
                },
            ),
            table(200, 0, InventoryWord::Failed { problem: "/var/lib/dpkg/status: \u{e9}".into() }),
        ],
        extensions: extensions(),
    };
    let rows = |number: i64| vec![vec![Value::Text(format!("u{number}")), number.into()]];
    let part = |part, number| table(10, 7, InventoryWord::Whole { part, parts: 256, rows: rows(number) });
    let parts =
        InventoryReport { at_ms: -1, tables: vec![part(254, -1), part(255, i64::MIN)], ..InventoryReport::default() };
    let reports = vec![Report::Inventory(look), Report::Inventory(parts)];
    Frame::batch(Lane::P0, EPOCH, 3, Message::Reports(ReportBatch { reports, extensions: Vec::new() }))
}

fn logs() -> LogBatch {
    LogBatch {
        ranges: vec![SourceRange {
            source: source("/var/log/syslog"),
            from: 100,
            to: 70_000,
            skipped: "rotated away".into(),
            tail_hash: 1 << 63,
            gone: true,
        }],
        streams: vec![LogStream {
            labels: vec![label("filename", "/var/log/syslog"), label("level", "warn")],
            lines: vec![
                LogLine {
                    at_ns: NOW_MS * 1_000_000,
                    line: b"not \xff UTF-8".to_vec(),
                    fields: vec![label("unit", "ssh.service")],
                },
                LogLine { at_ns: -1, line: Vec::new(), fields: Vec::new() },
            ],
        }],
        extensions: extensions(),
    }
}

/// Of every kind of tasks.
fn tasks() -> Vec<Frame> {
    vec![
        Frame::control(Message::TaskState(TaskState {
            call: CALL,
            number: 3,
            at_ms: NOW_MS,
            word: TaskWord::Ended { code: -1 },
            problem: "what it wrote is cut".into(),
            chunks: 251,
            output_bytes: 1 << 30,
            dropped_bytes: (1 << 30) - 65_536,
            extensions: extensions(),
        })),
        Frame::control(Message::TaskOutput(TaskOutput {
            call: CALL,
            chunk: 250,
            text: "reloaded nginx.service\n".into(),
            extensions: extensions(),
        })),
        Frame::control(Message::TaskCatalogue(TaskCatalogue {
            document: "version = 3\nexpires = 2027-06-01T00:00:00Z\n".into(),
            signature: [0xa5; 64],
            extensions: extensions(),
        })),
        Frame::control(Message::Task(Task {
            call: CALL,
            host: [9; 16],
            order: "muster-task order v1\n".into(),
            proof: vec![ProofStep { left: true, hash: [3; 32] }, ProofStep { left: false, hash: [251; 32] }],
            approvals: vec![TaskApproval { approver: "anna".into(), signature: [0x5a; 64] }],
            extensions: extensions(),
        })),
        Frame::control(Message::TaskCancel(TaskCancel {
            call: CALL,
            reason: "user:bob stopped the roll-out".into(),
            extensions: extensions(),
        })),
        Frame::control(Message::TaskAck(TaskAck { call: CALL, state: 3, chunks: 65_536, extensions: extensions() })),
    ]
}

/// One frame of every kind, in the order of their numbers.
pub(super) fn frames() -> Vec<Frame> {
    let csr_der = vec![0x30, 0x82, 0, 1, 2];
    let chain_der = vec![vec![0x30, 1, 2], vec![0x30, 3]];
    let refused = Refused {
        code: RefusalCode::Pending,
        message: "host `db1` waits for approval".into(),
        remedy: "run `muster hosts approve db1`".into(),
        retry_after_ms: 30_000,
    };
    let mut frames = vec![
        Frame::control(Message::Hello(hello())),
        Frame::control(Message::Enrol(Enrol {
            protocol: 1,
            token: "0102030f.07070707070707070707070707070707".into(),
            csr_der: csr_der.clone(),
            name: "db1".into(),
            facts: facts(),
        })),
        Frame::control(Message::Renew(Renew { csr_der })),
        Frame::control(Message::AgentGoodbye(AgentGoodbye { reason: GoodbyeReason::Reboot })),
        Frame::control(Message::ClockProbe(ClockProbe { agent_ms: NOW_MS })),
        Frame::control(Message::Problems(Problems {
            problems: vec![Problem {
                place: "/var/log/auth.log".into(),
                message: "cannot be read: it belongs to root:adm with mode 0640".into(),
                remedy: "run `usermod -aG adm muster` and restart the agent".into(),
            }],
            extensions: extensions(),
        })),
        Frame::control(Message::ConfigurationState(ConfigurationState {
            number: 300,
            in_force: [0xfe; 16],
            offered: [7; 16],
            word: ConfigurationWord::Refused,
            problems: vec![Problem {
                place: "document, line 3, logs.paths".into(),
                message: "/srv/app.log is outside of what this host lets be read".into(),
                remedy: "add /srv to remote.log_paths in /etc/muster/agent.toml".into(),
            }],
            extensions: extensions(),
        })),
        Frame::control(Message::Answer(Answer {
            id: 65_536,
            word: AnswerWord::Rows,
            columns: vec!["pid".into(), "name".into(), "user".into()],
            rows: vec![vec![Value::Integer(1), Value::Text("systemd".into()), Value::Null], vec![Value::Integer(-251)]],
            dropped: 251,
            problem: "1251 rows fit, at most 1000 are told".into(),
            extensions: extensions(),
        })),
        Frame::control(Message::Welcome(welcome())),
        Frame::control(Message::Enrolled(Enrolled {
            host_id: [9; 16],
            name: "db1".into(),
            chain_der: chain_der.clone(),
        })),
        Frame::control(Message::Renewed(Renewed { chain_der })),
        Frame::control(Message::CollectorGoodbye(CollectorGoodbye { reason: "upgrade".into(), spread_ms: 65_536 })),
        Frame::control(Message::ClockAnswer(ClockAnswer { agent_ms: NOW_MS, collector_ms: NOW_MS - 250 })),
        Frame::control(Message::Ack(Ack { epoch: EPOCH, lane: Lane::P2, seq: 251 })),
        Frame::control(Message::Throttle(Throttle { linger_ms: 10_000, hold_ms: 250 })),
        Frame::control(Message::NeedContext(NeedContext { epoch: EPOCH, context: 70_000, mark: 65_535 })),
        Frame::control(Message::Refused(refused)),
        Frame::control(Message::Positions(Positions {
            page: 0,
            positions: vec![Position { source: source("journal"), offset: 1 << 40, tail_hash: 12 }],
        })),
        Frame::control(Message::InventoryWanted(InventoryWanted { tables: vec![6, 255], extensions: extensions() })),
        Frame::control(Message::Configuration(Configuration {
            extensions: extensions(),
            ..Configuration::new(301, "# nginx\n[[logs]]\npaths = [\"/var/log/nginx/*.log\"]\n".into())
        })),
        Frame::control(Message::Ask(Ask {
            id: 65_536,
            table: "processes".into(),
            columns: vec!["pid".into()],
            filters: vec![
                AskFilter { column: "name".into(), test: AskTest::StartsWith, value: Value::Text("nginx".into()) },
                AskFilter { column: "rss".into(), test: AskTest::GreaterOrEqual, value: Value::Integer(1 << 30) },
            ],
            rows_max: 1000,
            within_ms: 5000,
            extensions: extensions(),
        })),
        Frame::context(EPOCH, context()),
        Frame::batch(
            Lane::P1,
            EPOCH,
            65_536,
            Message::Metrics(MetricBatch {
                context: 70_000,
                scrapes: vec![scrape(0), scrape(1)],
                extensions: extensions(),
            }),
        ),
        Frame::batch(Lane::P0, EPOCH, 1, Message::Reports(reports())),
        Frame::batch(Lane::P2, EPOCH, u64::MAX, Message::Logs(logs())),
        Frame::gap(Lane::P1, OLDER, 7, Gap { to: 300, reason: GapReason::Expired, from_ms: NOW_MS - 60_000, to_ms: 0 }),
    ];
    frames.extend(tasks());
    frames.sort_by_key(|frame| frame.message.kind().number());
    frames
}

/// Equal in every field, floating-point numbers by their bits.
pub(super) fn assert_same(ours: &Frame, other: &Frame) {
    assert_eq!(format!("{ours:?}"), format!("{other:?}"));
    assert_eq!(bits(&ours.message), bits(&other.message));
}

fn bits(message: &Message) -> Vec<u64> {
    match message {
        Message::Context(context) => context.row.iter().map(|value| value.to_bits()).collect(),
        Message::Metrics(batch) => batch.scrapes.iter().flat_map(|one| &one.raw).map(|value| value.to_bits()).collect(),
        _ => Vec::new(),
    }
}
