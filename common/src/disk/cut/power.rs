//! When things go wrong: counted operations, planned errors, the moment the power goes.

use std::io;

/// What can be counted and made to fail: everything that changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Create,
    Write,
    SetLen,
    Sync,
    Rename,
    SyncDir,
    Unlink,
    CreateDir,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// EIO.
    Io,
    /// ENOSPC.
    NoSpace,
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io => 5,
            Self::NoSpace => 28,
        })
    }
}

#[derive(Debug)]
struct Plan {
    operation: Operation,
    /// How many of them still pass before.
    passing: u64,
    /// How many fail then.
    failing: u64,
    fault: Fault,
}

/// Counts operations and says which of them fail.
#[derive(Debug, Default)]
pub(super) struct Power {
    pub(super) off: bool,
    pub(super) operations: u64,
    pub(super) stop_at: Option<u64>,
    plans: Vec<Plan>,
}

impl Power {
    /// # Errors
    /// EIO while the power is off.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.off { Err(Fault::Io.error()) } else { Ok(()) }
    }

    /// Counts one operation; `Some` when it is planned to fail.
    ///
    /// # Errors
    /// EIO while the power is off, which this very operation may bring about.
    pub(super) fn begin(&mut self, operation: Operation) -> io::Result<Option<Fault>> {
        self.check()?;
        if self.stop_at == Some(self.operations) {
            self.off = true;
            return Err(Fault::Io.error());
        }
        self.operations += 1;
        let mut fault = None;
        for plan in self.plans.iter_mut().filter(|plan| plan.operation == operation) {
            if plan.passing > 0 {
                plan.passing -= 1;
            } else if plan.failing > 0 {
                plan.failing -= 1;
                fault = Some(plan.fault);
            }
        }
        self.plans.retain(|plan| plan.failing > 0);
        Ok(fault)
    }

    /// Counts one operation that fails whole when it is planned to.
    ///
    /// # Errors
    /// As [`Power::begin`], and the planned error.
    pub(super) fn begin_whole(&mut self, operation: Operation) -> io::Result<()> {
        self.begin(operation)?.map_or(Ok(()), |fault| Err(fault.error()))
    }

    pub(super) fn plan(&mut self, operation: Operation, nth: u64, times: u64, fault: Fault) {
        self.plans.push(Plan { operation, passing: nth.saturating_sub(1), failing: times, fault });
    }

    /// On again, with nothing planned. The count goes on.
    pub(super) fn restore(&mut self) {
        self.off = false;
        self.stop_at = None;
        self.plans.clear();
    }
}
