//! What a host has to tell each tick: one file a subject, each under the name that node_exporter's collector has, giving
//! its metric names, kinds and labels exactly, so that people's dashboards and rules work as they are.
//!
//! A source keeps its files open, reads them into the one shared buffer, parses bytes and stores numbers: no allocation in
//! the steady state. One that fails is only marked (`node_scrape_collector_success` 0); the others go on. What may hang
//! runs on a [`background`] thread under a time limit; what changes rarely has an interval of its own.
//!
//! To add a source: a file here, its `mod` line, and its line in [`SOURCES`].

mod arp;
mod background;
mod clock;
mod conntrack;
mod disk;
mod entropy;
mod file_descriptors;
mod filesystem;
mod interface;
mod interface_traffic;
mod interrupts;
mod load;
mod memory;
mod metric;
mod mounts;
pub mod names;
mod net_protocols;
mod operating_system;
pub(crate) mod parse;
mod pressure;
mod process;
mod processes;
mod procfs;
mod scheduler;
mod selinux;
mod sockets;
mod softnet;
mod stat;
mod tcp_states;
mod time_zone;
mod timex;
mod udp_queues;
mod uname;
mod virtual_memory;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::time::Timestamp;
use rustix::io::Errno;

pub(crate) use background::{Background, Job};
pub(crate) use metric::{Column, Devices, Info, Metric};
pub(crate) use mounts::{Mount, parse_mounts};
pub(crate) use operating_system::os_release_value;
pub(crate) use procfs::{ProcFile, Roots, Scratch, Shape};
pub(crate) use timex::clock_state;

use crate::rows::Rows;

/// Something on the host that yields samples.
pub(crate) trait Source: Send {
    /// Reads once and stores what it found in the tick's row. What it stored before an error stays.
    ///
    /// # Errors
    /// [`SourceError`] marks the source as failed in this row.
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError>;
}

/// What a source works with in one tick.
pub(crate) struct Tick<'t> {
    /// The host's own wall clock, not corrected: what the host believes is itself a number worth having.
    pub(crate) now: Timestamp,
    pub(crate) rows: &'t mut Rows,
    pub(crate) scratch: &'t mut Scratch,
}

/// How often a source is read unless set otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    EachTick,
    /// Not more often than this: what it reads is dear, or hardly changes. Below PromQL's lookback of 5 min.
    Every(Duration),
}

const EACH: Pace = Pace::EachTick;
const SLOW: Pace = Pace::Every(Duration::from_secs(60));

/// One line of the table.
pub(crate) struct SourceKind {
    /// Names for `collector="..."` and for `[sources.NAME]`; node_exporter splits one file of the kernel in two at times.
    pub(crate) collectors: &'static [&'static str],
    pub(crate) pace: Pace,
    /// Whether it runs when `[sources.NAME]` does not say: not where it would cost too much time or too many series.
    pub(crate) on: bool,
    pub(crate) build: fn(&Roots) -> Box<dyn Source>,
}

/// Every source there is, in the order in which a tick reads them.
#[rustfmt::skip]
pub(crate) const SOURCES: &[SourceKind] = &[
    SourceKind { collectors: &["cpu", "stat"], pace: EACH, on: true, build: |roots| Box::new(stat::Stat::new(roots)) },
    SourceKind { collectors: &["meminfo"], pace: EACH, on: true, build: |roots| Box::new(memory::Memory::new(roots)) },
    SourceKind { collectors: &["loadavg"], pace: EACH, on: true, build: |roots| Box::new(load::Load::new(roots)) },
    SourceKind { collectors: &["diskstats"], pace: EACH, on: true, build: |roots| Box::new(disk::Disk::new(roots)) },
    SourceKind { collectors: &["filesystem"], pace: EACH, on: true, build: |roots| Box::new(filesystem::Filesystem::new(roots)) },
    SourceKind { collectors: &["netdev"], pace: EACH, on: true, build: |roots| Box::new(interface_traffic::InterfaceTraffic::new(roots)) },
    SourceKind { collectors: &["netclass"], pace: SLOW, on: true, build: |roots| Box::new(interface::Interface::new(roots)) },
    SourceKind { collectors: &["netstat"], pace: EACH, on: true, build: |roots| Box::new(net_protocols::NetProtocols::new(roots)) },
    SourceKind { collectors: &["sockstat"], pace: EACH, on: true, build: |roots| Box::new(sockets::Sockets::new(roots)) },
    SourceKind { collectors: &["softnet"], pace: EACH, on: true, build: |roots| Box::new(softnet::Softnet::new(roots)) },
    SourceKind { collectors: &["udp_queues"], pace: EACH, on: true, build: |roots| Box::new(udp_queues::UdpQueues::new(roots)) },
    SourceKind { collectors: &["conntrack"], pace: EACH, on: true, build: |roots| Box::new(conntrack::Conntrack::new(roots)) },
    SourceKind { collectors: &["arp"], pace: EACH, on: true, build: |roots| Box::new(arp::Arp::new(roots)) },
    SourceKind { collectors: &["vmstat"], pace: EACH, on: true, build: |roots| Box::new(virtual_memory::VirtualMemory::new(roots)) },
    SourceKind { collectors: &["pressure"], pace: EACH, on: true, build: |roots| Box::new(pressure::Pressure::new(roots)) },
    SourceKind { collectors: &["schedstat"], pace: EACH, on: true, build: |roots| Box::new(scheduler::Scheduler::new(roots)) },
    SourceKind { collectors: &["filefd"], pace: EACH, on: true, build: |roots| Box::new(file_descriptors::FileDescriptors::new(roots)) },
    SourceKind { collectors: &["timex"], pace: EACH, on: true, build: |_| Box::new(timex::Timex::new()) },
    SourceKind { collectors: &["time"], pace: EACH, on: true, build: |roots| Box::new(clock::Clock::new(roots)) },
    SourceKind { collectors: &["entropy"], pace: SLOW, on: true, build: |roots| Box::new(entropy::Entropy::new(roots)) },
    SourceKind { collectors: &["uname"], pace: SLOW, on: true, build: |_| Box::new(uname::Uname::new()) },
    SourceKind { collectors: &["os"], pace: SLOW, on: true, build: |roots| Box::new(operating_system::OperatingSystem::new(roots)) },
    SourceKind { collectors: &["selinux"], pace: SLOW, on: true, build: |roots| Box::new(selinux::Selinux::new(roots)) },
    SourceKind { collectors: &["tcpstat"], pace: SLOW, on: false, build: |roots| Box::new(tcp_states::TcpStates::new(roots)) },
    SourceKind { collectors: &["processes"], pace: SLOW, on: true, build: |roots| Box::new(processes::Processes::new(roots)) },
    SourceKind { collectors: &["interrupts"], pace: EACH, on: false, build: |roots| Box::new(interrupts::Interrupts::new(roots)) },
    SourceKind { collectors: &["process"], pace: EACH, on: true, build: |roots| Box::new(process::Process::new(roots)) },
];

/// The names that `[sources.NAME]` may have: the first of each line.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().filter_map(|kind| kind.collectors.first().copied())
}

/// Why a source has nothing, or not all, to tell in this tick.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("{} is not there: this kernel has no such thing, or a module is not loaded", path.display())]
    Absent { path: Arc<Path> },
    #[error("failed to read {}: {errno}", path.display())]
    Io { path: Arc<Path>, errno: Errno },
    #[error("{} has no {what} where one was expected", path.display())]
    Malformed { path: Arc<Path>, what: &'static str },
    #[error("{what} gave no answer within the time limit")]
    Late { what: &'static str },
    #[error("failed to {doing}: {errno}")]
    Call { doing: &'static str, errno: Errno },
}

impl SourceError {
    /// The error for a file: what the kernel does not have is told apart from what fails.
    pub(crate) fn of(path: &Arc<Path>, errno: Errno) -> Self {
        let path = Arc::clone(path);
        match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::OPNOTSUPP => Self::Absent { path },
            errno => Self::Io { path, errno },
        }
    }

    /// Whether the host simply lacks this: worth a line at debug level, not a warning.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

/// Runs one source, fresh, as a tick would.
#[cfg(test)]
pub(crate) fn run_source(name: &str, roots: &Roots, rows: &mut Rows) -> Result<(), SourceError> {
    let kind = SOURCES.iter().find(|kind| kind.collectors.contains(&name)).expect("a source of this name");
    let mut source = (kind.build)(roots);
    rows.begin(0);
    rows.source(0);
    let now = Timestamp::from_millis(1_700_000_000_500);
    let result = source.sample(&mut Tick { now, rows, scratch: &mut Scratch::new() });
    rows.finish();
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_that_is_a_source_has_its_line_in_the_table() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources");
        let text = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
        let mut sources = BTreeSet::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if name != "mod" && std::fs::read_to_string(&path).unwrap().contains("impl Source for ") {
                let lines = text.lines().filter(|line| line.contains(&format!("Box::new({name}::"))).count();
                assert_eq!(lines, 1, "{name} in the table");
                sources.insert(name);
            }
        }
        assert_eq!(sources.len(), SOURCES.len());
        let names: BTreeSet<&str> = SOURCES.iter().flat_map(|kind| kind.collectors).copied().collect();
        assert_eq!(names.len(), SOURCES.iter().map(|kind| kind.collectors.len()).sum::<usize>(), "each name once");
    }
}
