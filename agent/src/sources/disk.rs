//! /proc/diskstats: reads, writes, discards and flushes of each whole disk, and what udev knows of it.

use std::path::{Path, PathBuf};

use super::metric::{Column, Devices, Info};
use super::procfs::{ProcFile, Scratch, Shape};
use super::{Roots, Source, SourceError, Tick, parse};
use crate::rows::Rows;

/// Sectors of /proc/diskstats, whatever the disk's own are.
const SECTOR_BYTES: f64 = 512.0;
const MS_PER_SECOND: f64 = 1000.0;

/// In the order of the file's columns after the name. Older kernels have fewer.
const COLUMNS: &[Column] = &[
    Column::counter("node_disk_reads_completed_total"),
    Column::counter("node_disk_reads_merged_total"),
    Column::counter("node_disk_read_bytes_total"),
    Column::counter("node_disk_read_time_seconds_total"),
    Column::counter("node_disk_writes_completed_total"),
    Column::counter("node_disk_writes_merged_total"),
    Column::counter("node_disk_written_bytes_total"),
    Column::counter("node_disk_write_time_seconds_total"),
    Column::gauge("node_disk_io_now"),
    Column::counter("node_disk_io_time_seconds_total"),
    Column::counter("node_disk_io_time_weighted_seconds_total"),
    Column::counter("node_disk_discards_completed_total"),
    Column::counter("node_disk_discards_merged_total"),
    Column::counter("node_disk_discarded_sectors_total"),
    Column::counter("node_disk_discard_time_seconds_total"),
    Column::counter("node_disk_flush_requests_total"),
    Column::counter("node_disk_flush_requests_time_seconds_total"),
];

const INFO_LABELS: &[&str] = &["device", "major", "minor", "path", "wwn", "model", "serial", "revision", "rotational"];

pub(super) struct Disk {
    file: ProcFile,
    disks: Devices,
    infos: Vec<DiskInfo>,
    roots: Roots,
}

struct DiskInfo {
    device: Vec<u8>,
    values: Vec<String>,
    series: Info,
    seen: bool,
}

impl Disk {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            file: ProcFile::new(&roots.proc.join("diskstats"), Shape::Lines),
            disks: Devices::new(COLUMNS),
            infos: Vec::new(),
            roots: roots.clone(),
        }
    }
}

impl Source for Disk {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        self.disks.begin();
        self.infos.iter_mut().for_each(|info| info.seen = false);
        let (mut unknown, mut lines) = (0, 0);
        for line in parse::lines(text) {
            let mut words = parse::words(line);
            let (Some(major), Some(minor), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
            lines += 1;
            if is_left_out(name) {
                continue;
            }
            let disk = self.disks.device("device", name);
            for (column, word) in words.enumerate().take(COLUMNS.len()) {
                let Some(value) = parse::number(word) else { continue };
                self.disks.put(tick.rows, disk, column, in_unit(column, value));
            }
            match self.infos.iter_mut().find(|info| info.device == name) {
                Some(info) => info.seen = true,
                None => {
                    let values = [name, major, minor].map(parse::text).to_vec();
                    let series = Info::new("node_disk_info", INFO_LABELS);
                    self.infos.push(DiskInfo { device: name.to_vec(), values, series, seen: true });
                    unknown += 1;
                }
            }
        }
        if lines == 0 {
            return Err(self.file.malformed("disk"));
        }
        self.disks.finish(tick.rows);
        self.put_infos(tick.rows, tick.scratch, unknown);
        Ok(())
    }
}

impl Disk {
    /// What udev knows is read once for each disk: another disk under the same name goes and comes as a device.
    fn put_infos(&mut self, rows: &mut Rows, scratch: &mut Scratch, unknown: usize) {
        let first_unknown = self.infos.len() - unknown;
        for info in &mut self.infos[first_unknown..] {
            let known = Known::read(&self.roots, &info.values, scratch);
            info.values.extend(known.values);
        }
        self.infos.retain_mut(|info| {
            if info.seen {
                info.series.put(rows, &info.values, 1.0)
            } else {
                info.series.end(rows)
            }
            info.seen
        });
    }
}

/// What udev and sysfs tell of a disk: path, wwn, model, serial, revision, rotational.
struct Known {
    values: [String; 6],
}

impl Known {
    fn read(roots: &Roots, device: &[String], scratch: &mut Scratch) -> Self {
        let [name, major, minor] = device else { return Self { values: Default::default() } };
        let udev = roots.root.join(format!("run/udev/data/b{major}:{minor}"));
        let properties = read_text(&udev, scratch);
        let property = |wanted: &str| {
            let lines = properties.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
            lines.filter(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
        };
        // The number on the label first, then udev's short and long forms (the last is all that virtio disks have).
        let serials = ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"].map(property);
        let serial = serials.into_iter().find(|serial| !serial.is_empty()).unwrap_or_default();
        let queue: PathBuf = ["block", name, "queue", "rotational"].iter().collect();
        let rotational = read_text(&roots.sys.join(queue), scratch).trim().to_owned();
        let [path, wwn, model, revision] = ["ID_PATH", "ID_WWN", "ID_MODEL", "ID_REVISION"].map(property);
        Self { values: [path, wwn, model, serial, revision, rotational] }
    }
}

fn read_text(path: &Path, scratch: &mut Scratch) -> String {
    scratch.read_once(path).map(parse::text).unwrap_or_default()
}

fn in_unit(column: usize, value: f64) -> f64 {
    match column {
        2 | 6 => value * SECTOR_BYTES,
        3 | 7 | 9 | 10 | 14 | 16 => value / MS_PER_SECOND,
        _ => value,
    }
}

/// node_exporter's rule: `^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`, so RAM disks, loops, floppies, partitions.
fn is_left_out(name: &[u8]) -> bool {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let stem = &name[..name.len() - digits];
    if digits == 0 {
        return false;
    }
    match stem {
        b"ram" | b"zram" | b"loop" | b"fd" => true,
        [b'h' | b's' | b'v', b'd', b'a'..=b'z'] | [b'x', b'v', b'd', b'a'..=b'z'] => true,
        _ => is_nvme_partition(stem),
    }
}

/// `nvme0n1p` of `nvme0n1p2`.
fn is_nvme_partition(stem: &[u8]) -> bool {
    let Some(middle) = stem.strip_prefix(b"nvme").and_then(|rest| rest.strip_suffix(b"p")) else { return false };
    let mut parts = middle.split(|byte| *byte == b'n');
    let number = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    number(parts.next()) && number(parts.next()) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tree, sampled};

    #[test]
    fn whole_disks_are_kept_and_parts_left_out() {
        for name in ["sda1", "hdb2", "vdc10", "xvda1", "ram0", "zram0", "loop7", "fd0", "nvme0n1p1", "nvme10n2p15"] {
            assert!(is_left_out(name.as_bytes()), "{name}");
        }
        for name in [
            "sda",
            "vda",
            "xvda",
            "nvme0n1",
            "dm-0",
            "md127",
            "mmcblk0",
            "mmcblk0p1",
            "sdaa1",
            "sr0",
            "nvme0c0n1",
            "",
            "zram",
        ] {
            assert!(!is_left_out(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn columns_are_given_in_seconds_and_bytes_as_far_as_the_kernel_has_them() {
        let old = "   8       0 sda 10 11 12 1500 14 15 16 17 18 19 20\n   8       1 sda1 1 1 1 1\n";
        let seen = sampled("diskstats", &Tree::new(&[("proc/diskstats", old)])).unwrap();
        assert_eq!(seen.len(), 12);
        for line in [
            "node_disk_read_bytes_total{device=\"sda\"} 6144",
            "node_disk_read_time_seconds_total{device=\"sda\"} 1.5",
            "node_disk_written_bytes_total{device=\"sda\"} 8192",
            "node_disk_io_now{device=\"sda\"} 18",
            "node_disk_io_time_weighted_seconds_total{device=\"sda\"} 0.02",
            "node_disk_info{device=\"sda\",major=\"8\",minor=\"0\"} 1",
        ] {
            assert!(seen.iter().any(|found| found == line), "{line} is not in {seen:#?}");
        }
        let new = "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19\n8 16 sdb x 2\ngarbage\n";
        assert_eq!(sampled("diskstats", &Tree::new(&[("proc/diskstats", new)])).unwrap().len(), 17 + 1 + 1 + 1);
        assert!(sampled("diskstats", &Tree::new(&[("proc/diskstats", "\n")])).is_err());
    }

    #[test]
    fn what_udev_knows_stands_in_the_info_series() {
        let tree = Tree::new(&[
            ("proc/diskstats", "8 0 sda 1\n"),
            (
                "run/udev/data/b8:0",
                "S:disk/by-id/x\nE:ID_MODEL=Fast\nE:ID_SERIAL=long\nE:ID_SERIAL_SHORT=S1\nE:ID_PATH=pci-1\n",
            ),
            ("sys/block/sda/queue/rotational", "0\n"),
        ]);
        let seen = sampled("diskstats", &tree).unwrap();
        let info = "node_disk_info{device=\"sda\",major=\"8\",minor=\"0\",model=\"Fast\",path=\"pci-1\",rotational=\"0\",serial=\"S1\"} 1";
        assert!(seen.iter().any(|line| line == info), "{seen:#?}");
    }
}
