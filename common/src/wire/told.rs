//! What each end says in hello and welcome that it reads, so that a later one sends it nothing else.

use super::message::{Extension, FrameKind, Hello, Welcome};
use crate::inventory::Digest;
use crate::limits::INVENTORY_TABLES_MAX;

impl Hello {
    /// Extension of hello, one byte: the highest number of a [`FrameKind`] of the collector that this agent reads. Absent: 2a, positions.
    pub const FRAMES_KNOWN: u16 = 1;

    /// Extension of hello, one byte, the version of tasks (1): a program that runs tasks is installed beside this agent, which carries frames to it
    /// and back. Absent: send none of task catalogues, tasks, cancels and their acknowledgements, whatever kinds it reads.
    pub const TASKS: u16 = 2;

    /// What an agent says that has a program to run tasks.
    pub fn tasks_taken() -> Extension {
        Extension { id: Self::TASKS, bytes: vec![1] }
    }

    /// Whether frames of tasks may be sent to this agent.
    pub fn takes_tasks(&self) -> bool {
        byte_of(&self.extensions, Self::TASKS).is_some_and(|version| version >= 1)
    }

    /// What an agent of this version says of the frames that it reads.
    pub fn frames_known() -> Extension {
        Extension { id: Self::FRAMES_KNOWN, bytes: vec![FrameKind::TaskAck.number()] }
    }

    /// Whether this agent reads frames of this kind.
    pub fn reads(&self, kind: FrameKind) -> bool {
        let highest = byte_of(&self.extensions, Self::FRAMES_KNOWN).unwrap_or(FrameKind::Positions.number());
        kind.number() <= highest
    }
}

impl Welcome {
    /// Extension of welcome, one byte: the highest number of a [`Report`](super::message::Report) that this collector reads. Absent: 2, `Checks`.
    pub const REPORTS_KNOWN: u16 = 1;
    /// Extension of welcome: which rows the collector has of this host, for each table its number and its digest (8 bytes, little-endian).
    pub const INVENTORY_DIGESTS: u16 = 2;
    /// Extension of welcome, one byte: the highest number of a [`FrameKind`] of the agent on the control stream that this collector reads. Absent: 6,
    /// problems.
    pub const FRAMES_KNOWN: u16 = 3;
    /// The numbers of [`Report::Processes`](super::message::Report::Processes) and [`Report::Inventory`](super::message::Report::Inventory).
    const PROCESSES: u8 = 3;
    const INVENTORY: u8 = 4;

    /// What a collector of this version says of the reports that it reads.
    pub fn reports_known() -> Extension {
        Extension { id: Self::REPORTS_KNOWN, bytes: vec![Self::INVENTORY] }
    }

    /// What a collector of this version says of the frames that it reads.
    pub fn frames_known() -> Extension {
        Extension { id: Self::FRAMES_KNOWN, bytes: vec![FrameKind::TaskOutput.number()] }
    }

    /// Whether this collector reads states of configurations.
    pub fn takes_configuration_states(&self) -> bool {
        let highest = byte_of(&self.extensions, Self::FRAMES_KNOWN);
        highest.is_some_and(|highest| highest >= FrameKind::ConfigurationState.number())
    }

    /// Whether this collector reads states of tasks and their output.
    pub fn takes_task_states(&self) -> bool {
        let highest = byte_of(&self.extensions, Self::FRAMES_KNOWN);
        highest.is_some_and(|highest| highest >= FrameKind::TaskOutput.number())
    }

    /// Whether this collector reads [`Report::Processes`](super::message::Report::Processes).
    pub fn takes_processes(&self) -> bool {
        self.takes(Self::PROCESSES)
    }

    /// Whether this collector reads [`Report::Inventory`](super::message::Report::Inventory).
    pub fn takes_inventory(&self) -> bool {
        self.takes(Self::INVENTORY)
    }

    fn takes(&self, report: u8) -> bool {
        byte_of(&self.extensions, Self::REPORTS_KNOWN).is_some_and(|highest| highest >= report)
    }

    /// Says which rows the collector has of the tables with these numbers; of the first 64.
    pub fn digests_known(digests: &[(u8, Digest)]) -> Extension {
        let known = digests.iter().take(INVENTORY_TABLES_MAX);
        let bytes = known.flat_map(|(table, digest)| std::iter::once(*table).chain(digest.0.to_le_bytes())).collect();
        Extension { id: Self::INVENTORY_DIGESTS, bytes }
    }

    /// Which rows the collector has, by the tables' numbers. It has none of a table that is not here.
    pub fn inventory_digests(&self) -> Vec<(u8, Digest)> {
        let known = self.extensions.iter().find(|extension| extension.id == Self::INVENTORY_DIGESTS);
        let rows = known.into_iter().flat_map(|extension| extension.bytes.chunks_exact(9)).take(INVENTORY_TABLES_MAX);
        let digest = |row: &[u8]| {
            let (table, digest) = row.split_first()?;
            Some((*table, Digest(u64::from_le_bytes(digest.try_into().ok()?))))
        };
        rows.filter_map(digest).collect()
    }
}

/// The first byte of an extension.
fn byte_of(extensions: &[Extension], id: u16) -> Option<u8> {
    extensions.iter().find(|extension| extension.id == id)?.bytes.first().copied()
}
