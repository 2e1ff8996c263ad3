//! What hosts report beside samples and lines: results of checks, events, who uses the host, what it has and is.

use bincode::{Decode, Encode};

use super::inventory::InventoryReport;
use super::message::{Extension, WireLabel};

/// p0: reports in order.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ReportBatch {
    pub reports: Vec<Report>,
    pub extensions: Vec<Extension>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Report {
    Check(CheckReport),
    Event(EventReport),
    Checks(CheckList),
    /// Only to a collector that [takes them](super::message::Welcome::takes_processes).
    Processes(ProcessLook),
    /// Only to a collector that [takes them](super::message::Welcome::takes_inventory).
    Inventory(InventoryReport),
}

/// One run of a check, with its definition.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct CheckReport {
    /// When the run ended, by the corrected clock.
    pub at_ms: i64,
    pub check: String,
    /// [`crate::check::CheckState`] as its number.
    pub state: u8,
    /// The first line, without perfdata.
    pub output: String,
    /// The further lines, without perfdata.
    pub long_output: String,
    pub perfdata: Vec<Perfdata>,
    pub duration_ms: u32,
    pub definition: CheckDefinition,
}

/// One number of a check's output.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Perfdata {
    pub label: String,
    /// NaN: the plugin wrote `U`, unknown.
    pub value: f64,
    /// As written: `s`, `ms`, `%`, `B`, `KB`, `c`, ...; empty: none.
    pub unit: String,
    /// Ranges as [`crate::range::Range`] reads them; empty: none.
    pub warn: String,
    pub crit: String,
    /// NaN: none.
    pub min: f64,
    pub max: f64,
}

/// What the host's configuration says of a check.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CheckDefinition {
    /// [`crate::check::CheckKind`] as its number.
    pub kind: u8,
    /// Between runs while all is well; 0: nothing runs it by itself.
    pub interval_ms: u64,
    /// Between runs from the first bad result until it is hard.
    pub retry_ms: u64,
    /// Bad results in a row that make a problem hard; at least 1.
    pub max_attempts: u16,
    /// A result that is older than this is stale; 0: never.
    pub ttl_ms: u64,
    /// Every bad result is told, not only changes.
    pub volatile: bool,
    /// Hosts (`name`) and checks (`name/check`) without which this one cannot work.
    pub parents: Vec<String>,
    /// Labels of its alerts and series, beside the host's.
    pub labels: Vec<WireLabel>,
    /// What to do when it is bad: a sentence or an address.
    pub remedy: String,
}

impl Default for CheckDefinition {
    /// Of a check that nothing runs by itself: its first bad result counts, and it is never stale.
    fn default() -> Self {
        Self {
            kind: 0,
            interval_ms: 0,
            retry_ms: 0,
            max_attempts: 1,
            ttl_ms: 0,
            volatile: false,
            parents: Vec::new(),
            labels: Vec::new(),
            remedy: String::new(),
        }
    }
}

/// Every check that this host's configuration runs. Of its other checks those that are run by the agent are no more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CheckList {
    pub at_ms: i64,
    pub checks: Vec<String>,
}

/// Something that happened on the host.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EventReport {
    pub at_ms: i64,
    pub kind: String,
    pub text: String,
    pub fields: Vec<WireLabel>,
}

/// The processes that used most of the host over one span, and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProcessLook {
    /// When the look was taken, by the corrected clock: the end of the span.
    pub at_ms: i64,
    /// How long the span is over which shares and rates are taken.
    pub span_ms: u64,
    /// Between looks; 0: the host's configuration takes none, and this says so.
    pub interval_ms: u64,
    /// Processes that were looked at, and how many of them ran, waited for a disk, or were zombies.
    pub seen: u32,
    pub running: u32,
    pub blocked: u32,
    pub zombies: u32,
    /// Processes that were there and were not looked at, since the look's time was up.
    pub unseen: u32,
    /// The first by CPU, by memory and by what they read and wrote, each once, by CPU.
    pub processes: Vec<ProcessUse>,
    pub extensions: Vec<Extension>,
}

/// What one process used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProcessUse {
    pub pid: u32,
    /// When it began, by the corrected clock, to a hundredth of a second: with `pid` it is this process and no later one.
    pub started_ms: i64,
    /// As the kernel calls it, at most 15 bytes.
    pub name: String,
    /// The last part of the path that it was called by; with all arguments where the host's configuration says so. Empty: it has none.
    pub command: String,
    /// Arguments that it was called with, the command not counted.
    pub arguments: u32,
    /// The user's name, or number where it has none.
    pub user: String,
    /// The kernel's letter: `R` runs, `S` sleeps, `D` waits for a disk, `Z` is a zombie, ...
    pub state: u8,
    pub threads: u32,
    /// Whether `cpu` is known: not where it was not looked at before.
    pub has_cpu: bool,
    /// Hundredths of a percent of one processor: 10,000 is one of them all the time.
    pub cpu: u32,
    /// Memory that it has in RAM.
    pub rss_bytes: u64,
    /// Whether the next two are known: of other users' processes only a privileged agent may read them.
    pub has_io: bool,
    /// Bytes a second, from and to disks.
    pub read_rate: u64,
    pub write_rate: u64,
}
