//! The machine of questions: from who is asked to what came of it. Pure: no clock, no socket, no lock.
//!
//! What holds at all times: each host that was asked has one word (waiting, answered, missing), which is given once; memory is bounded for
//! all questions together; a question has one outcome, or was given up.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::inventory::{Row, Value};
use muster_common::wire::message::{Answer, AnswerWord, Ask};

use super::merge::Rows;
use super::{AskOutcome, Missing, Question, QuestionDue};

/// Questions under way at once: people who look into one incident, and some programs.
pub const QUESTIONS_MAX: usize = 8;
/// How long hosts have unless it is said: most answer within a second.
pub const WITHIN_DEFAULT: Duration = Duration::from_secs(5);
/// The longest that hosts may take; no agent looks for longer.
pub const WITHIN_MAX: Duration = Duration::from_secs(30);
/// What all questions together may keep of answers.
const BYTES_MAX: usize = 64 << 20;
/// A host's words about why it has no answer, beyond which they are cut.
const PROBLEM_BYTES_MAX: usize = 500;
/// The last fifth of the time is for putting the answer together and for its way, so that who waits 5 s has it within 5 s: with a tenth the
/// answer of 1,000 hosts was there after 5.06 s on a machine that all of them shared.
pub(super) const MAKING_PART: u32 = 5;
/// Agents have all but the last quarter, so that one that is late can say so.
const WAY_PART: u32 = 4;
/// The text of an answer that contradicts itself.
const BROKEN: &str = "the answer does not keep to its own columns: upgrade the agent";

/// Why a host has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MissingWhy {
    /// It is not connected.
    Silent,
    /// Its agent is of a version that reads no questions.
    TooOld,
    /// Too many questions wait there.
    Busy,
    /// Its own file takes no questions.
    Refused,
    /// It does not know the table or a column.
    Unknown,
    /// It could not look.
    Failed,
    /// It took too long, or said nothing in time.
    Late,
    /// Its connection went before it answered.
    Gone,
}

impl MissingWhy {
    pub const ALL: [Self; 8] =
        [Self::Silent, Self::TooOld, Self::Busy, Self::Refused, Self::Unknown, Self::Failed, Self::Late, Self::Gone];

    /// What it means, and what to do, to people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Silent => "it is not connected",
            Self::TooOld => "its agent reads no questions: upgrade it",
            Self::Busy => "too many questions wait there: ask again in a moment",
            Self::Refused => "its own file takes no questions",
            Self::Unknown => "it does not know the table or a column: upgrade its agent",
            Self::Failed => "it could not look",
            Self::Late => "it did not answer in time: ask with a longer timeout",
            Self::Gone => "its connection went before it answered",
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::TooOld => "too_old",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Gone => "gone",
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    Ask {
        question: Question,
        hosts: Vec<HostId>,
    },
    Answer {
        host: HostId,
        answer: Answer,
    },
    Unasked {
        host: HostId,
        id: u64,
        why: MissingWhy,
    },
    /// The asker's time is over.
    End {
        id: u64,
    },
    /// The asker is gone.
    Cancel {
        id: u64,
    },
}

/// Something to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    Send(QuestionDue),
    /// Give this to who asked.
    Done {
        id: u64,
        outcome: AskOutcome,
    },
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    pub asked: u64,
    /// Answers with rows.
    pub answers: u64,
    /// Hosts without one.
    pub missing: u64,
    /// Answers to nothing: to a question that is over, a second one, one of a host that was not asked.
    pub stray: u64,
    /// Rows.
    pub dropped: u64,
}

#[derive(Debug)]
enum Word {
    Waiting,
    Answered,
    Missing(MissingWhy, String),
}

struct UnderWay {
    question: Question,
    hosts: Vec<(HostId, Word)>,
    places: HashMap<HostId, u32>,
    waiting: usize,
    rows: Rows,
    notes: Vec<(HostId, String)>,
    /// Of texts of hosts, beside the rows' own.
    text_bytes: usize,
    dropped: u64,
    begun: Duration,
}

impl UnderWay {
    fn bytes(&self) -> usize {
        self.rows.bytes + self.text_bytes
    }
}

/// The machine.
pub(super) struct Asking {
    next_id: u64,
    under_way: BTreeMap<u64, UnderWay>,
    counts: AnswerCounts,
}

impl Asking {
    pub(super) fn new(first: u64) -> Self {
        Self { next_id: first, under_way: BTreeMap::new(), counts: AnswerCounts::default() }
    }

    pub(super) fn counts(&self) -> AnswerCounts {
        self.counts
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Takes one event. A question that cannot be asked now has no effect.
    pub(super) fn step(&mut self, now: Duration, event: Event) -> Vec<Effect> {
        match event {
            Event::Ask { question, hosts } => self.ask(now, question, hosts).map(Effect::Send).into_iter().collect(),
            Event::Answer { host, answer } => self.answer(now, host, answer),
            Event::Unasked { host, id, why } => self.settle(now, id, host, Word::Missing(why, String::new())),
            Event::End { id } => self.end(now, id).into_iter().collect(),
            Event::Cancel { id } => {
                self.under_way.remove(&id);
                Vec::new()
            }
        }
    }

    fn ask(&mut self, now: Duration, question: Question, hosts: Vec<HostId>) -> Option<QuestionDue> {
        if self.under_way.len() >= QUESTIONS_MAX || hosts.is_empty() {
            return None;
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.counts.asked += 1;
        let columns: Vec<String> = question.sieve.columns().map(|column| column.name.to_owned()).collect();
        let within = question.within.min(WITHIN_MAX);
        let ask = Ask {
            id,
            table: question.sieve.table().name.to_owned(),
            columns: if question.is_whole { Vec::new() } else { columns },
            filters: question.filters.clone(),
            rows_max: question.rows_max,
            within_ms: u32::try_from((within - within / WAY_PART).as_millis()).unwrap_or(u32::MAX),
            extensions: Vec::new(),
        };
        let mut places = HashMap::with_capacity(hosts.len());
        // Each host once, whatever the asker wrote.
        let mut once = Vec::with_capacity(hosts.len());
        for host in hosts {
            if let Entry::Vacant(free) = places.entry(host) {
                free.insert(u32::try_from(once.len()).unwrap_or(u32::MAX));
                once.push(host);
            }
        }
        let due = QuestionDue { ask, hosts: once.clone() };
        let under_way = UnderWay {
            question,
            waiting: once.len(),
            hosts: once.into_iter().map(|host| (host, Word::Waiting)).collect(),
            places,
            rows: Rows::default(),
            notes: Vec::new(),
            text_bytes: 0,
            dropped: 0,
            begun: now,
        };
        self.under_way.insert(id, under_way);
        Some(due)
    }

    /// A question's state where this host is still waited for; else the answer is a stray one.
    fn waits(&mut self, id: u64, host: HostId) -> Option<(&mut UnderWay, usize)> {
        let under_way = self.under_way.get_mut(&id)?;
        let place = *under_way.places.get(&host)? as usize;
        matches!(under_way.hosts.get(place), Some((_, Word::Waiting))).then_some((under_way, place))
    }

    fn answer(&mut self, now: Duration, host: HostId, answer: Answer) -> Vec<Effect> {
        let used: usize = self.under_way.values().map(UnderWay::bytes).sum();
        let Some((under_way, place)) = self.waits(answer.id, host) else {
            self.counts.stray += 1;
            return Vec::new();
        };
        let id = answer.id;
        let missing = |why| Word::Missing(why, answer.problem.clone());
        let word = match answer.word {
            AnswerWord::Rows if answer.rows.iter().all(|row| row.len() == answer.columns.len()) => {
                under_way.take(host, place, answer, BYTES_MAX.saturating_sub(used));
                Word::Answered
            }
            AnswerWord::Rows => Word::Missing(MissingWhy::Failed, BROKEN.to_owned()),
            AnswerWord::Busy => missing(MissingWhy::Busy),
            AnswerWord::Refused => missing(MissingWhy::Refused),
            AnswerWord::Unknown => missing(MissingWhy::Unknown),
            AnswerWord::Failed => missing(MissingWhy::Failed),
            AnswerWord::Late => missing(MissingWhy::Late),
        };
        self.settle(now, id, host, word)
    }

    /// Gives a host its word; the last one ends the question.
    fn settle(&mut self, now: Duration, id: u64, host: HostId, word: Word) -> Vec<Effect> {
        let used: usize = self.under_way.values().map(UnderWay::bytes).sum();
        let Some((under_way, place)) = self.waits(id, host) else { return Vec::new() };
        let word = match word {
            Word::Missing(why, problem) => Word::Missing(why, under_way.keep(problem, BYTES_MAX.saturating_sub(used))),
            word => word,
        };
        let is_answer = matches!(word, Word::Answered);
        under_way.hosts[place].1 = word;
        under_way.waiting -= 1;
        let is_last = under_way.waiting == 0;
        self.counts.answers += u64::from(is_answer);
        self.counts.missing += u64::from(!is_answer);
        if is_last { self.end(now, id).into_iter().collect() } else { Vec::new() }
    }

    fn end(&mut self, now: Duration, id: u64) -> Option<Effect> {
        let UnderWay { hosts, rows, notes, dropped, begun, waiting, .. } = self.under_way.remove(&id)?;
        self.counts.missing += waiting as u64;
        let dropped = dropped.saturating_add(rows.dropped);
        self.counts.dropped = self.counts.dropped.saturating_add(dropped);
        let asked = hosts.len();
        let missing: Vec<Missing> = hosts
            .into_iter()
            .filter_map(|(host, word)| match word {
                Word::Answered => None,
                Word::Waiting => Some(Missing { host, why: MissingWhy::Late, problem: String::new() }),
                Word::Missing(why, problem) => Some(Missing { host, why, problem }),
            })
            .collect();
        let (answered, took) = (asked - missing.len(), now.saturating_sub(begun));
        let outcome = AskOutcome { rows: rows.into_rows(), asked, answered, missing, notes, dropped, took };
        Some(Effect::Done { id, outcome })
    }
}

impl UnderWay {
    /// Works in the rows of one host, by the columns that were asked for: those that it does not know are null.
    fn take(&mut self, host: HostId, place: usize, answer: Answer, room: usize) {
        let from: Vec<Option<usize>> = self
            .question
            .sieve
            .columns()
            .map(|column| answer.columns.iter().position(|told| told == column.name))
            .collect();
        // What a host says is any number.
        self.dropped = self.dropped.saturating_add(answer.dropped);
        let (before, place) = (self.rows.bytes, u32::try_from(place).unwrap_or(u32::MAX));
        for row in answer.rows {
            let taken = self.rows.bytes.saturating_sub(before);
            let value = |from: &Option<usize>| from.and_then(|at| row.get(at)).cloned().unwrap_or(Value::Null);
            let row: Row = from.iter().map(value).collect();
            self.rows.add(row, host, place, room.saturating_sub(taken));
        }
        let taken = self.rows.bytes.saturating_sub(before);
        let note = self.keep(answer.problem, room.saturating_sub(taken));
        if !note.is_empty() {
            self.notes.push((host, note));
        }
    }

    /// A host's text, as far as there is room for it.
    fn keep(&mut self, mut text: String, room: usize) -> String {
        text.truncate(text.floor_char_boundary(PROBLEM_BYTES_MAX));
        if text.len() > room {
            return String::new();
        }
        self.text_bytes += text.len();
        text.shrink_to_fit();
        text
    }
}
