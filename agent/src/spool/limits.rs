//! How much room the spool may take: pure arithmetic over what the file system says.

use muster_common::disk::Space;
use muster_common::wire::message::Lane;

/// What stays free of a file system is never more than this, however large it is: a tenth of a disk of 1 TiB that is nearly full is still
/// room for years of spool. 4 GiB is where journald stops too (`SystemKeepFree=` in journald.conf(5)).
pub const FREE_BYTES_MAX: u64 = 4 << 30;

/// Bounds of the spool. The defaults are the documented ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// All lanes together, bytes.
    pub bytes_max: u64,
    /// All lanes together, per cent of the file system.
    pub file_system_percent: u8,
    /// Of the file system, per cent that must stay free, up to [`FREE_BYTES_MAX`].
    pub free_percent: u8,
    /// Lane p1's part of the spool, per cent; logs have files of their own.
    pub metrics_percent: u8,
    /// Lane p0's.
    pub reports_percent: u8,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self { bytes_max: 1 << 30, file_system_percent: 5, free_percent: 10, metrics_percent: 25, reports_percent: 5 }
    }
}

impl SpoolLimits {
    /// Bytes that a lane may take on a file system of this size.
    pub fn share_bytes(&self, lane: Lane, space: Space) -> u64 {
        let all = self.bytes_max.min(percent(space.total_bytes, self.file_system_percent));
        match lane {
            Lane::P0 => percent(all, self.reports_percent),
            Lane::P1 => percent(all, self.metrics_percent),
            Lane::P2 => 0,
        }
    }

    /// Whether `more_bytes` fit beside the `own_bytes` of their lane; `droppable_bytes` of the spool may go for them. That they do only where
    /// it makes the room: not for a disk that other data fills.
    pub fn room(&self, space: Space, lane: Lane, (own_bytes, droppable_bytes): (u64, u64), more_bytes: u64) -> Room {
        let free_wanted = kept_free(space, self.free_percent).saturating_add(more_bytes);
        let share_bytes = self.share_bytes(lane, space);
        if more_bytes > share_bytes {
            Room::TooLarge
        } else if space.free_bytes.saturating_add(droppable_bytes) < free_wanted {
            Room::Short
        } else if own_bytes.saturating_add(more_bytes) > share_bytes {
            Room::AfterOwnDrop
        } else if space.free_bytes < free_wanted {
            Room::AfterDrop
        } else {
            Room::Fits
        }
    }
}

/// What [`SpoolLimits::room`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Fits,
    /// Once enough of the oldest of its own lane is dropped.
    AfterOwnDrop,
    /// Once enough of the oldest is dropped.
    AfterDrop,
    /// Not even with everything dropped: other data fills the disk.
    Short,
    /// More than the whole share.
    TooLarge,
}

/// Bytes of a file system that others shall find free.
pub fn kept_free(space: Space, free_percent: u8) -> u64 {
    percent(space.total_bytes, free_percent).min(FREE_BYTES_MAX)
}

/// Rounded down, without overflow for any size.
fn percent(of: u64, percent: u8) -> u64 {
    (of / 100).saturating_mul(u64::from(percent)).saturating_add((of % 100) * u64::from(percent) / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_smaller_of_both_bounds_rules() {
        let limits = SpoolLimits::default();
        for (total, expect) in [(100 * GIB, GIB / 4), (10 * GIB, GIB / 8), (0, 0), (u64::MAX, GIB / 4)] {
            let got = limits.share_bytes(Lane::P1, Space { total_bytes: total, free_bytes: total });
            assert!(got.abs_diff(expect) <= 2, "{total}: {got} instead of {expect}");
        }
    }

    #[test]
    fn the_last_tenth_stays_free() {
        let limits = SpoolLimits::default();
        let room = |total_bytes, free_bytes, held| {
            limits.room(Space { total_bytes, free_bytes }, Lane::P1, (held, held), 4 << 20)
        };
        assert_eq!(room(20 * GIB, 3 * GIB, 0), Room::Fits);
        assert_eq!(room(20 * GIB, 2 * GIB, 0), Room::Short);
        assert_eq!(room(20 * GIB, 10 * GIB, GIB / 4), Room::AfterOwnDrop);
        for total in [40 * GIB, 252 * GIB, u64::MAX] {
            assert_eq!((room(total, 5 * GIB, 0), room(total, 4 * GIB, 0)), (Room::Fits, Room::Short), "{total}");
        }
    }

    #[test]
    fn what_is_held_goes_only_where_that_makes_the_room() {
        let limits = SpoolLimits::default();
        let room = |free, held| {
            limits.room(Space { total_bytes: 20 * GIB, free_bytes: free }, Lane::P1, (held, held), 1 << 20)
        };
        assert_eq!(room(GIB, GIB / 5), Room::Short);
        assert_eq!(room(GIB, GIB / 4), Room::Short, "its own share is full too, and still it would not help");
        assert_eq!(room(2 * GIB - GIB / 8, GIB / 5), Room::AfterDrop);
        assert_eq!(
            limits.room(Space { total_bytes: GIB, free_bytes: GIB }, Lane::P1, (0, 0), 64 << 20),
            Room::TooLarge
        );
    }
}
