//! A second decoder, written from WIRE.md alone: it walks bytes by hand and shares only the message structs with the first.
//!
//! It takes well-formed frames of version 1; what is wrong gives `None`.

mod tasks;

use crate::wire::frame::Frame;
use crate::wire::inventory::{InventoryReport, InventoryWord, Row, TableReport, Value};
use crate::wire::message::{
    Ack, AgentGoodbye, Answer, AnswerWord, Ask, AskFilter, AskTest, CheckDefinition, CheckList, CheckReport,
    ClockAnswer, ClockProbe, CollectorGoodbye, Configuration, ConfigurationState, ConfigurationWord, Context, Enrol,
    Enrolled, Epoch, EventReport, Extension, Gap, GapReason, GoodbyeReason, HeldEpoch, Hello, HostFacts,
    InventoryWanted, Lane, LogBatch, LogLine, LogStream, Mark, Message, MetricBatch, NeedContext, Perfdata, Position,
    Positions, Problem, Problems, ProcessLook, ProcessUse, RefusalCode, Refused, Renew, Renewed, Report, ReportBatch,
    Scrape, SeriesEntry, SourceId, SourceRange, Throttle, Welcome, WireLabel,
};

/// Section 2: checks the header and gives the body.
pub(super) fn body(bytes: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| bytes[at..at + 4].iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    if bytes.len() < 42 || bytes[..3] != [0x4d, 0x75, 1] || bytes[4] > 1 {
        return None;
    }
    let payload = &bytes[42..];
    if payload.len() != word(6) as usize || payload.len() > 250_000 {
        return None;
    }
    let mut summed = bytes.to_vec();
    summed[14..18].fill(0);
    if castagnoli(&summed) != word(14) {
        return None;
    }
    let raw = word(10) as usize;
    let body = if bytes[4] == 1 { zstd::bulk::decompress(payload, raw).ok()? } else { payload.to_vec() };
    (body.len() == raw).then_some(body)
}

/// Bit by bit, so that it is no copy of a table.
fn castagnoli(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

pub(super) fn decode(bytes: &[u8]) -> Option<Frame> {
    let body = body(bytes)?;
    let mut walk = Walk { rest: &body };
    let message = walk.message(bytes[3])?;
    let seq = bytes[34..42].iter().rev().fold(0u64, |seq, byte| seq << 8 | u64::from(*byte));
    let frame = Frame { lane: Lane::from_u8(bytes[5]), epoch: Epoch(bytes[18..34].try_into().ok()?), seq, message };
    walk.rest.is_empty().then_some(frame)
}

/// Section 6: the bits of each series' value in this scrape.
pub(super) fn row(context: &Frame, metrics: &Frame, which: usize) -> Option<Vec<Option<u64>>> {
    let (Message::Context(context), Message::Metrics(batch)) = (&context.message, &metrics.message) else {
        return None;
    };
    let scrape = &batch.scrapes[which];
    let (mut changes, mut raw) = (scrape.changes.iter(), scrape.raw.iter());
    let bit = |bitmap: &[u8], series: usize| bitmap[series / 8] >> (series % 8) & 1 == 1;
    let mut values = Vec::new();
    for (series, entry) in context.series.iter().enumerate() {
        let row = context.row[series];
        values.push(if !bit(&scrape.present, series) {
            None
        } else if !bit(&scrape.differs, series) {
            Some(row.to_bits())
        } else {
            let (mut number, mut shift) = (0u64, 0);
            loop {
                let byte = changes.next()?;
                number |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if number == 0 {
                Some(raw.next()?.to_bits())
            } else {
                let zigzag = i128::from(number - 1);
                let change = if zigzag % 2 == 0 { zigzag / 2 } else { -(zigzag + 1) / 2 };
                let power = format!("1e{}", entry.scale).parse::<f64>().ok()?;
                let base = (row * power).round();
                let base = if base.abs() <= 9_007_199_254_740_992.0 { base as i128 } else { 0 };
                Some(((base + change) as f64 / power).to_bits())
            }
        });
    }
    (changes.next().is_none() && raw.next().is_none()).then_some(values)
}

/// Section 3, and the messages of sections 4 and 5 in its words.
struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn varint(&mut self) -> Option<u64> {
        let width = match self.u8()? {
            byte @ 0..=250 => return Some(byte.into()),
            251 => 2,
            252 => 4,
            253 => 8,
            _ => return None,
        };
        Some(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn u16(&mut self) -> Option<u16> {
        self.varint()?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.varint()?.try_into().ok()
    }

    fn i64(&mut self) -> Option<i64> {
        let number = i128::from(self.varint()?);
        i64::try_from(if number % 2 == 0 { number / 2 } else { -(number + 1) / 2 }).ok()
    }

    fn f64(&mut self) -> Option<f64> {
        Some(f64::from_bits(self.take(8)?.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))))
    }

    fn id(&mut self) -> Option<[u8; 16]> {
        self.take(16)?.try_into().ok()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn i32(&mut self) -> Option<i32> {
        self.i64()?.try_into().ok()
    }

    fn epoch(&mut self) -> Option<Epoch> {
        self.id().map(Epoch)
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let count = usize::try_from(self.varint()?).ok()?;
        Some(self.take(count)?.to_vec())
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn list<T>(&mut self, element: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.varint()?;
        (0..count).map(|_| element(self)).collect()
    }

    fn lane(&mut self) -> Option<Lane> {
        [Lane::P0, Lane::P1, Lane::P2].get(self.u32()? as usize).copied()
    }

    fn extensions(&mut self) -> Option<Vec<Extension>> {
        self.list(|walk| Some(Extension { id: walk.u16()?, bytes: walk.bytes()? }))
    }

    fn labels(&mut self) -> Option<Vec<WireLabel>> {
        self.list(|walk| Some(WireLabel { name: walk.text()?, value: walk.text()? }))
    }

    fn facts(&mut self) -> Option<HostFacts> {
        Some(HostFacts {
            host_name: self.text()?,
            machine_id: self.text()?,
            os: self.text()?,
            kernel: self.text()?,
            architecture: self.text()?,
            processors: self.u32()?,
            memory_bytes: self.varint()?,
            virtualisation: self.text()?,
        })
    }

    fn throttle(&mut self) -> Option<Throttle> {
        Some(Throttle { linger_ms: self.u32()?, hold_ms: self.u32()? })
    }

    fn source(&mut self) -> Option<SourceId> {
        Some(SourceId {
            device: self.varint()?,
            inode: self.varint()?,
            fingerprint: self.varint()?,
            fingerprint_bytes: self.u16()?,
            incarnation: self.u32()?,
            path: self.text()?,
        })
    }

    fn message(&mut self, kind: u8) -> Option<Message> {
        Some(match kind {
            0x01 => Message::Hello(self.hello()?),
            0x02 => Message::Enrol(Enrol {
                protocol: self.u16()?,
                token: self.text()?,
                csr_der: self.bytes()?,
                name: self.text()?,
                facts: self.facts()?,
            }),
            0x03 => Message::Renew(Renew { csr_der: self.bytes()? }),
            0x04 => {
                use GoodbyeReason::{Reboot, Restart, Retire, Shutdown, Upgrade};
                let reason = *[Restart, Upgrade, Reboot, Shutdown, Retire].get(self.u32()? as usize)?;
                Message::AgentGoodbye(AgentGoodbye { reason })
            }
            0x05 => Message::ClockProbe(ClockProbe { agent_ms: self.i64()? }),
            0x06 => Message::Problems(Problems { problems: self.list(Self::problem)?, extensions: self.extensions()? }),
            0x07 => Message::ConfigurationState(self.configuration_state()?),
            0x08 => Message::Answer(self.answer()?),
            0x09 | 0x0a | 0x2e..=0x31 => self.of_tasks(kind)?,
            0x21 => Message::Welcome(self.welcome()?),
            0x22 => Message::Enrolled(Enrolled {
                host_id: self.id()?,
                name: self.text()?,
                chain_der: self.list(Self::bytes)?,
            }),
            0x23 => Message::Renewed(Renewed { chain_der: self.list(Self::bytes)? }),
            0x24 => Message::CollectorGoodbye(CollectorGoodbye { reason: self.text()?, spread_ms: self.u32()? }),
            0x25 => Message::ClockAnswer(ClockAnswer { agent_ms: self.i64()?, collector_ms: self.i64()? }),
            0x26 => Message::Ack(Ack { epoch: self.epoch()?, lane: self.lane()?, seq: self.varint()? }),
            0x27 => Message::Throttle(self.throttle()?),
            0x28 => {
                Message::NeedContext(NeedContext { epoch: self.epoch()?, context: self.u32()?, mark: self.varint()? })
            }
            0x29 => Message::Refused(self.refused()?),
            0x2a => {
                let position = |walk: &mut Self| {
                    Some(Position { source: walk.source()?, offset: walk.varint()?, tail_hash: walk.varint()? })
                };
                Message::Positions(Positions { page: self.u32()?, positions: self.list(position)? })
            }
            0x2b => Message::InventoryWanted(InventoryWanted { tables: self.bytes()?, extensions: self.extensions()? }),
            0x2c => Message::Configuration(Configuration {
                number: self.varint()?,
                digest: self.id()?,
                document: self.text()?,
                extensions: self.extensions()?,
            }),
            0x2d => Message::Ask(self.ask()?),
            0x40 => Message::Context(self.context()?),
            0x41 => Message::Metrics(self.metrics()?),
            0x42 => Message::Reports(ReportBatch { reports: self.list(Self::report)?, extensions: self.extensions()? }),
            0x43 => Message::Logs(self.logs()?),
            0x44 => Message::Gap(self.gap()?),
            _ => return None,
        })
    }

    fn hello(&mut self) -> Option<Hello> {
        let held = |walk: &mut Self| {
            Some(HeldEpoch { epoch: walk.epoch()?, last_seq: [walk.varint()?, walk.varint()?, walk.varint()?] })
        };
        Some(Hello {
            protocol: self.u16()?,
            agent_version: self.text()?,
            boot_id: self.id()?,
            clock_ms: self.i64()?,
            started_ms: self.i64()?,
            facts: self.facts()?,
            epochs: self.list(held)?,
            extensions: self.extensions()?,
        })
    }

    fn welcome(&mut self) -> Option<Welcome> {
        let mark = |walk: &mut Self| {
            Some(Mark { epoch: walk.epoch()?, lane: walk.lane()?, seq: walk.varint()?, arrived_ms: walk.i64()? })
        };
        Some(Welcome {
            host_id: self.id()?,
            host_name: self.text()?,
            store_id: self.id()?,
            incarnation: self.varint()?,
            clock_ms: self.i64()?,
            marks: self.list(mark)?,
            position_pages: self.u32()?,
            lanes: self.u8()?,
            throttle: self.throttle()?,
            extensions: self.extensions()?,
        })
    }

    fn refused(&mut self) -> Option<Refused> {
        use RefusalCode::{Busy, Certificate, Pending, Protocol, Quarantined, Storage, Superseded, Token, Version};
        let codes = [Version, Protocol, Token, Pending, Certificate, Quarantined, Superseded, Busy, Storage];
        Some(Refused {
            code: *codes.get(self.u32()? as usize)?,
            message: self.text()?,
            remedy: self.text()?,
            retry_after_ms: self.u32()?,
        })
    }

    fn context(&mut self) -> Option<Context> {
        let entry = |walk: &mut Self| {
            Some(SeriesEntry { name: walk.text()?, labels: walk.labels()?, kind: walk.u8()?, scale: walk.u8()? })
        };
        Some(Context {
            id: self.u32()?,
            series: self.list(entry)?,
            row: self.list(Self::f64)?,
            extensions: self.extensions()?,
        })
    }

    fn metrics(&mut self) -> Option<MetricBatch> {
        let scrape = |walk: &mut Self| {
            Some(Scrape {
                at_ms: walk.i64()?,
                present: walk.bytes()?,
                differs: walk.bytes()?,
                changes: walk.bytes()?,
                raw: walk.list(Self::f64)?,
            })
        };
        Some(MetricBatch { context: self.u32()?, scrapes: self.list(scrape)?, extensions: self.extensions()? })
    }

    fn report(&mut self) -> Option<Report> {
        Some(match self.u32()? {
            0 => Report::Check(CheckReport {
                at_ms: self.i64()?,
                check: self.text()?,
                state: self.u8()?,
                output: self.text()?,
                long_output: self.text()?,
                perfdata: self.list(Self::perfdata)?,
                duration_ms: self.u32()?,
                definition: self.definition()?,
            }),
            1 => Report::Event(EventReport {
                at_ms: self.i64()?,
                kind: self.text()?,
                text: self.text()?,
                fields: self.labels()?,
            }),
            2 => Report::Checks(CheckList { at_ms: self.i64()?, checks: self.list(Self::text)? }),
            3 => Report::Processes(ProcessLook {
                at_ms: self.i64()?,
                span_ms: self.varint()?,
                interval_ms: self.varint()?,
                seen: self.u32()?,
                running: self.u32()?,
                blocked: self.u32()?,
                zombies: self.u32()?,
                unseen: self.u32()?,
                processes: self.list(Self::process)?,
                extensions: self.extensions()?,
            }),
            4 => Report::Inventory(InventoryReport {
                at_ms: self.i64()?,
                since_ms: self.i64()?,
                tables: self.list(Self::table)?,
                extensions: self.extensions()?,
            }),
            _ => return None,
        })
    }

    fn table(&mut self) -> Option<TableReport> {
        let (table, digest, dropped) = (self.u8()?, self.varint()?, self.varint()?);
        let word = match self.u32()? {
            0 => InventoryWord::Unchanged,
            1 => {
                InventoryWord::Changed { from: self.varint()?, gone: self.list(Self::row)?, now: self.list(Self::row)? }
            }
            2 => InventoryWord::Whole { part: self.u16()?, parts: self.u16()?, rows: self.list(Self::row)? },
            3 => InventoryWord::Failed { problem: self.text()? },
            _ => return None,
        };
        Some(TableReport { table, digest, dropped, word })
    }

    fn row(&mut self) -> Option<Row> {
        self.list(Self::value)
    }

    fn value(&mut self) -> Option<Value> {
        match self.u32()? {
            0 => Some(Value::Null),
            1 => Some(Value::Integer(self.i64()?)),
            2 => Some(Value::Text(self.text()?)),
            _ => None,
        }
    }

    fn problem(&mut self) -> Option<Problem> {
        Some(Problem { place: self.text()?, message: self.text()?, remedy: self.text()? })
    }

    fn configuration_state(&mut self) -> Option<ConfigurationState> {
        use ConfigurationWord::{Disabled, InForce, None, Refused, Reverted, Trial};
        Some(ConfigurationState {
            number: self.varint()?,
            in_force: self.id()?,
            offered: self.id()?,
            word: *[None, InForce, Trial, Refused, Reverted, Disabled].get(self.u32()? as usize)?,
            problems: self.list(Self::problem)?,
            extensions: self.extensions()?,
        })
    }

    fn ask(&mut self) -> Option<Ask> {
        use AskTest::{Contains, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual, StartsWith};
        let tests = [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, Contains, StartsWith];
        let filter = |walk: &mut Self| {
            let (column, test) = (walk.text()?, *tests.get(walk.u32()? as usize)?);
            Some(AskFilter { column, test, value: walk.value()? })
        };
        Some(Ask {
            id: self.varint()?,
            table: self.text()?,
            columns: self.list(Self::text)?,
            filters: self.list(filter)?,
            rows_max: self.u32()?,
            within_ms: self.u32()?,
            extensions: self.extensions()?,
        })
    }

    fn answer(&mut self) -> Option<Answer> {
        use AnswerWord::{Busy, Failed, Late, Refused, Rows, Unknown};
        Some(Answer {
            id: self.varint()?,
            word: *[Rows, Busy, Refused, Unknown, Failed, Late].get(self.u32()? as usize)?,
            columns: self.list(Self::text)?,
            rows: self.list(Self::row)?,
            dropped: self.varint()?,
            problem: self.text()?,
            extensions: self.extensions()?,
        })
    }

    fn process(&mut self) -> Option<ProcessUse> {
        Some(ProcessUse {
            pid: self.u32()?,
            started_ms: self.i64()?,
            name: self.text()?,
            command: self.text()?,
            arguments: self.u32()?,
            user: self.text()?,
            state: self.u8()?,
            threads: self.u32()?,
            has_cpu: self.flag()?,
            cpu: self.u32()?,
            rss_bytes: self.varint()?,
            has_io: self.flag()?,
            read_rate: self.varint()?,
            write_rate: self.varint()?,
        })
    }

    fn perfdata(&mut self) -> Option<Perfdata> {
        Some(Perfdata {
            label: self.text()?,
            value: self.f64()?,
            unit: self.text()?,
            warn: self.text()?,
            crit: self.text()?,
            min: self.f64()?,
            max: self.f64()?,
        })
    }

    fn definition(&mut self) -> Option<CheckDefinition> {
        Some(CheckDefinition {
            kind: self.u8()?,
            interval_ms: self.varint()?,
            retry_ms: self.varint()?,
            max_attempts: self.u16()?,
            ttl_ms: self.varint()?,
            volatile: self.flag()?,
            parents: self.list(Self::text)?,
            labels: self.labels()?,
            remedy: self.text()?,
        })
    }

    fn logs(&mut self) -> Option<LogBatch> {
        let range = |walk: &mut Self| {
            Some(SourceRange {
                source: walk.source()?,
                from: walk.varint()?,
                to: walk.varint()?,
                skipped: walk.text()?,
                tail_hash: walk.varint()?,
                gone: walk.flag()?,
            })
        };
        let line = |walk: &mut Self| Some(LogLine { at_ns: walk.i64()?, line: walk.bytes()?, fields: walk.labels()? });
        let stream = |walk: &mut Self| Some(LogStream { labels: walk.labels()?, lines: walk.list(line)? });
        Some(LogBatch { ranges: self.list(range)?, streams: self.list(stream)?, extensions: self.extensions()? })
    }

    fn gap(&mut self) -> Option<Gap> {
        use GapReason::{Closed, Expired, Lost, Refused, SpoolFull, Thinned};
        Some(Gap {
            to: self.varint()?,
            reason: *[SpoolFull, Thinned, Expired, Refused, Lost, Closed].get(self.u32()? as usize)?,
            from_ms: self.i64()?,
            to_ms: self.i64()?,
        })
    }
}
