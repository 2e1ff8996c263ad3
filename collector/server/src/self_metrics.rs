//! The collector's own process in numbers, from /proc.

use std::path::Path;

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::stat::Stat;

use crate::reserve::Reserve;
use crate::watched_disk::FullBell;

/// What this process costs, and the room that its data folder has. What cannot be read is left out.
pub(crate) fn stats(data: &Path, reserve: &Reserve, full: &FullBell) -> Vec<Stat> {
    let mut stats = vec![
        Stat::counter(
            "muster_collector_disk_full_total",
            "Writes that the disk refused for want of room.",
            full.refused(),
        ),
        Stat::gauge(
            "muster_collector_disk_reserve_bytes",
            "Room kept aside for the case that the disk is full.",
            if reserve.is_taken() { crate::reserve::RESERVE_BYTES as f64 } else { 0.0 },
        ),
    ];
    if let Ok(space) = RealDisk.space(data) {
        let (free, all) = (space.free_bytes as f64, space.total_bytes as f64);
        stats.push(Stat::gauge("muster_collector_disk_free_bytes", "Room on the data folder's file system.", free));
        stats.push(Stat::gauge("muster_collector_disk_size_bytes", "Size of the data folder's file system.", all));
    }
    if let Some(seconds) = read("/proc/self/stat").as_deref().and_then(cpu_seconds) {
        let mut stat = Stat::counter("muster_collector_cpu_seconds_total", "Processor time of this process.", 0);
        stat.value = seconds;
        stats.push(stat);
    }
    if let Some(bytes) = read("/proc/self/statm").as_deref().and_then(resident_bytes) {
        stats.push(Stat::gauge("muster_collector_resident_memory_bytes", "Memory of this process.", bytes));
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the folder itself being read.
        let open = entries.count().saturating_sub(1) as f64;
        stats.push(Stat::gauge("muster_collector_open_fds", "Open file descriptors.", open));
    }
    stats
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// User and system time of a `stat` line. The command's name may hold anything, so fields count from its closing bracket.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / rustix::param::clock_ticks_per_second() as f64)
}

fn resident_bytes(statm: &str) -> Option<f64> {
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_whatever_the_program_is_called() {
        let line = "1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_seconds(line), Some(200.0 / rustix::param::clock_ticks_per_second() as f64));
        assert_eq!(resident_bytes("100 7 3 1 0 5 0"), Some(7.0 * rustix::param::page_size() as f64));
        assert_eq!((cpu_seconds("nonsense"), resident_bytes("")), (None, None));
    }

    #[test]
    fn this_process_costs_something() {
        let folder = tempfile::tempdir().unwrap();
        let stats = stats(folder.path(), &Reserve::new(folder.path()), &FullBell::default());
        let value = |name: &str| stats.iter().find(|stat| stat.name == name).map(|stat| stat.value);
        assert!(value("muster_collector_resident_memory_bytes").unwrap() > 1e6);
        assert!(value("muster_collector_open_fds").unwrap() >= 3.0);
        assert!(value("muster_collector_disk_size_bytes").unwrap() > 0.0);
        assert_eq!(value("muster_collector_disk_reserve_bytes"), Some(0.0));
    }
}
