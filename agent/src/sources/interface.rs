//! /sys/class/net: state, speed and nature of each network interface.
//!
//! One file an attribute makes this the dearest source, and a driver may hold the kernel's network lock for seconds, so it
//! runs on a helper thread at its own slow pace; what does not change while an interface lives is read every tenth time.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::sample::MetricKind::{self, Counter, Gauge};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::background::{Background, Job};
use super::metric::{Column, Devices, Info};
use super::{Roots, Source, SourceError, Tick, parse};
use crate::rows::Rows;

/// How long sampling waits for all interfaces. What comes later is told in the next turn.
const ANSWER_LIMIT: Duration = Duration::from_millis(100);
/// Turns between two readings of what hardly ever changes.
const FIXED_TURNS: u32 = 10;
/// Interfaces beyond this are left out: each costs ten reads a turn.
const INTERFACES_MAX: usize = 512;
/// Bytes a second in one of the kernel's Mbit/s.
const BYTES_PER_MBIT: f64 = 125_000.0;
/// An attribute is a word or a short line.
const ATTRIBUTE_BYTES: usize = 256;

/// How an attribute's text becomes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Decimal,
    Hexadecimal,
    /// Mbit/s to bytes a second.
    Speed,
    /// 1 when the text is `up`.
    IsUp,
}

/// How often an attribute is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Each,
    Tenth,
}

/// One number of an interface: the attribute's file, how to read it, and the metric it becomes.
struct Attribute {
    file: &'static str,
    form: Form,
    turn: Turn,
    name: &'static str,
    kind: MetricKind,
}

const fn each(file: &'static str, form: Form, kind: MetricKind, name: &'static str) -> Attribute {
    Attribute { file, form, turn: Turn::Each, name, kind }
}

const fn tenth(file: &'static str, form: Form, name: &'static str) -> Attribute {
    Attribute { file, form, turn: Turn::Tenth, name, kind: Gauge }
}

const COUNT: usize = 19;
const OPERSTATE: usize = 0;
const FLAGS: usize = 1;
const ATTRIBUTES: [Attribute; COUNT] = [
    each("operstate", Form::IsUp, Gauge, "node_network_up"),
    each("flags", Form::Hexadecimal, Gauge, "node_network_flags"),
    each("carrier", Form::Decimal, Gauge, "node_network_carrier"),
    each("carrier_changes", Form::Decimal, Counter, "node_network_carrier_changes_total"),
    each("carrier_up_count", Form::Decimal, Counter, "node_network_carrier_up_changes_total"),
    each("carrier_down_count", Form::Decimal, Counter, "node_network_carrier_down_changes_total"),
    each("dormant", Form::Decimal, Gauge, "node_network_dormant"),
    each("mtu", Form::Decimal, Gauge, "node_network_mtu_bytes"),
    each("speed", Form::Speed, Gauge, "node_network_speed_bytes"),
    each("statistics/rx_nohandler", Form::Decimal, Counter, "node_network_receive_nohandler_total"),
    tenth("addr_assign_type", Form::Decimal, "node_network_address_assign_type"),
    tenth("dev_id", Form::Hexadecimal, "node_network_device_id"),
    tenth("ifindex", Form::Decimal, "node_network_iface_id"),
    tenth("iflink", Form::Decimal, "node_network_iface_link"),
    tenth("link_mode", Form::Decimal, "node_network_iface_link_mode"),
    tenth("name_assign_type", Form::Decimal, "node_network_name_assign_type"),
    tenth("netdev_group", Form::Decimal, "node_network_net_dev_group"),
    tenth("tx_queue_len", Form::Decimal, "node_network_transmit_queue_length"),
    tenth("type", Form::Decimal, "node_network_protocol_type"),
];

const COLUMNS: &[Column; COUNT] = &{
    let mut columns = [const { Column::gauge("") }; COUNT];
    let mut number = 0;
    while number < COUNT {
        columns[number].name = ATTRIBUTES[number].name;
        columns[number].kind = ATTRIBUTES[number].kind;
        number += 1;
    }
    columns
};

/// The texts of the info series: label, attribute, how often. Label `adminstate` comes from the flags.
const TEXTS: [(&str, &str, Turn); 5] = [
    ("address", "address", Turn::Tenth),
    ("broadcast", "broadcast", Turn::Tenth),
    ("duplex", "duplex", Turn::Each),
    ("ifalias", "ifalias", Turn::Tenth),
    ("operstate", "operstate", Turn::Each),
];
const INFO_LABELS: &[&str] = &["device", "adminstate", "address", "broadcast", "duplex", "ifalias", "operstate"];

pub(super) struct Interface {
    helper: Option<Background<Scan>>,
    scan: Option<Scan>,
    folder: Arc<Path>,
    interfaces: Devices,
    infos: Vec<(Vec<u8>, Info)>,
}

/// One turn's work, and what it found.
struct Scan {
    folder: Arc<Path>,
    readings: Vec<Reading>,
    turn: u32,
    calls: u64,
    failed: Option<Errno>,
}

/// One interface as last read.
struct Reading {
    name: Vec<u8>,
    values: [Option<f64>; COUNT],
    texts: [String; TEXTS.len()],
    is_seen: bool,
    is_new: bool,
}

impl Job for Scan {
    fn run(&mut self) {
        self.calls = 0;
        self.failed = self.read_all().err();
        self.turn = self.turn.wrapping_add(1);
    }
}

impl Scan {
    fn read_all(&mut self) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&*self.folder, flags, Mode::empty())?;
        self.readings.iter_mut().for_each(|reading| reading.is_seen = false);
        let mut buffer = [MaybeUninit::uninit(); 2048];
        let mut entries = RawDir::new(&folder, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            // Beside the interfaces (links, or folders on old kernels) there may be a plain file, `bonding_masters`.
            if name.starts_with(b".") || entry.file_type() == rustix::fs::FileType::RegularFile {
                continue;
            }
            if let Some(reading) = self.readings.iter_mut().find(|reading| reading.name == name) {
                reading.is_seen = true;
            } else if self.readings.len() < INTERFACES_MAX {
                self.readings.push(Reading {
                    name: name.to_vec(),
                    values: [None; COUNT],
                    texts: Default::default(),
                    is_seen: true,
                    is_new: true,
                });
            }
        }
        self.calls += 4;
        self.readings.retain(|reading| reading.is_seen);
        let with_fixed = self.turn.is_multiple_of(FIXED_TURNS);
        for reading in &mut self.readings {
            let everything = with_fixed || reading.is_new;
            self.calls += reading.read(&folder, everything);
            reading.is_new = false;
        }
        Ok(())
    }
}

impl Reading {
    /// Reads the attributes that are due; tells the system calls made.
    fn read(&mut self, folder: &OwnedFd, everything: bool) -> u64 {
        let mut calls = 0;
        let mut buffer = [0; ATTRIBUTE_BYTES];
        let mut read = |file: &str, into: &mut dyn FnMut(Option<&[u8]>)| {
            calls += 3;
            let length = read_attribute(folder, &self.name, file, &mut buffer);
            into(length.ok().map(|length| parse::trimmed(&buffer[..length])));
        };
        for (number, attribute) in ATTRIBUTES.iter().enumerate() {
            // Read below, as a text.
            if number != OPERSTATE && (everything || attribute.turn == Turn::Each) {
                let value = &mut self.values[number];
                read(attribute.file, &mut |word| *value = word.and_then(|word| to_number(word, attribute.form)));
            }
        }
        for ((_, file, turn), text) in TEXTS.iter().zip(&mut self.texts) {
            if everything || *turn == Turn::Each {
                read(file, &mut |word| {
                    text.clear();
                    text.push_str(&String::from_utf8_lossy(word.unwrap_or_default()));
                });
            }
        }
        let operstate = &self.texts[TEXTS.len() - 1];
        let known = !operstate.is_empty();
        self.values[OPERSTATE] = known.then(|| f64::from(u8::from(operstate == "up")));
        calls
    }
}

/// Reads `<name>/<file>` below the folder. Many attributes of an interface that is down answer EINVAL.
fn read_attribute(folder: &OwnedFd, name: &[u8], file: &str, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut path = [0; 160];
    let length = name.len() + 1 + file.len();
    let room = path.get_mut(..length).ok_or(Errno::NAMETOOLONG)?;
    room[..name.len()].copy_from_slice(name);
    room[name.len()] = b'/';
    room[name.len() + 1..].copy_from_slice(file.as_bytes());
    let file = rustix::fs::openat(folder, &path[..length], OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::pread(&file, buffer, 0)
}

fn to_number(word: &[u8], form: Form) -> Option<f64> {
    match form {
        Form::Decimal => parse::number(word),
        // Flags and ids are 32 bits.
        Form::Hexadecimal => parse::hex(word).map(|value| value as f64),
        Form::Speed => parse::number(word).map(|speed| speed * BYTES_PER_MBIT),
        Form::IsUp => Some(f64::from(u8::from(word == b"up"))),
    }
}

impl Interface {
    pub(super) fn new(roots: &Roots) -> Self {
        let folder: Arc<Path> = Arc::from(roots.sys.join("class/net"));
        let scan = Scan { folder: Arc::clone(&folder), readings: Vec::new(), turn: 0, calls: 0, failed: None };
        Self { helper: None, scan: Some(scan), folder, interfaces: Devices::new(COLUMNS), infos: Vec::new() }
    }

    fn put_all(&mut self, rows: &mut Rows) {
        let readings = self.scan.as_ref().map_or(&[][..], |scan| &scan.readings);
        self.interfaces.begin();
        for reading in readings {
            let interface = self.interfaces.device("device", &reading.name);
            for (column, value) in reading.values.iter().enumerate() {
                if let Some(value) = value {
                    self.interfaces.put(rows, interface, column, *value);
                }
            }
            put_info(&mut self.infos, rows, reading);
        }
        self.interfaces.finish(rows);
        self.infos.retain_mut(|(name, info)| {
            let is_there = readings.iter().any(|reading| reading.name == *name);
            if !is_there {
                info.end(rows);
            }
            is_there
        });
    }
}

fn put_info(infos: &mut Vec<(Vec<u8>, Info)>, rows: &mut Rows, reading: &Reading) {
    let number = infos.iter().position(|(name, _)| *name == reading.name).unwrap_or_else(|| {
        infos.push((reading.name.clone(), Info::new("node_network_info", INFO_LABELS)));
        infos.len() - 1
    });
    let is_up = reading.values[FLAGS].map(|flags| flags % 2.0 == 1.0);
    let adminstate = is_up.map_or("unknown", |is_up| if is_up { "up" } else { "down" });
    let [address, broadcast, duplex, ifalias, operstate] = reading.texts.each_ref().map(String::as_str);
    let name = std::str::from_utf8(&reading.name).unwrap_or_default();
    infos[number].1.put(rows, &[name, adminstate, address, broadcast, duplex, ifalias, operstate], 1.0);
}

impl Source for Interface {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let helper = match self.helper.take() {
            Some(helper) => helper,
            None => Background::start("muster-netclass")
                .map_err(|_| SourceError::Call { doing: "start a thread", errno: Errno::AGAIN })?,
        };
        let helper = self.helper.insert(helper);
        // A scan that came too late for its own turn is of an old time: only its buffers are of use.
        let scan = self.scan.take().or_else(|| helper.wait(Duration::ZERO));
        self.scan = scan.and_then(|scan| helper.run(scan, ANSWER_LIMIT));
        let Some(scan) = &self.scan else { return Err(SourceError::Late { what: "a network interface" }) };
        tick.scratch.calls += scan.calls;
        if let Some(errno) = scan.failed {
            return Err(SourceError::of(&self.folder, errno));
        }
        self.put_all(tick.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tree, allocations, sampled};

    fn tree() -> Tree {
        Tree::new(&[
            ("sys/class/net/bonding_masters", "bond0\n"),
            ("sys/class/net/eth0/operstate", "up\n"),
            ("sys/class/net/eth0/flags", "0x1003\n"),
            ("sys/class/net/eth0/mtu", "1400\n"),
            ("sys/class/net/eth0/speed", "-1\n"),
            ("sys/class/net/eth0/dev_id", "0x0\n"),
            ("sys/class/net/eth0/address", "02:fc:00:00:00:01\n"),
            ("sys/class/net/eth0/ifalias", "to the \u{fc}plink\n"),
            ("sys/class/net/eth0/carrier_changes", "2\n"),
            ("sys/class/net/eth0/statistics/rx_nohandler", "7\n"),
            ("sys/class/net/lo/operstate", "unknown\n"),
            ("sys/class/net/lo/flags", "what\n"),
        ])
    }

    #[test]
    fn attributes_become_numbers_and_texts_labels() {
        assert_eq!(
            sampled("netclass", &tree()).unwrap(),
            [
                "node_network_carrier_changes_total{device=\"eth0\"} 2",
                "node_network_device_id{device=\"eth0\"} 0",
                "node_network_flags{device=\"eth0\"} 4099",
                "node_network_info{address=\"02:fc:00:00:00:01\",adminstate=\"up\",device=\"eth0\",ifalias=\"to the \u{fc}plink\",operstate=\"up\"} 1",
                "node_network_info{adminstate=\"unknown\",device=\"lo\",operstate=\"unknown\"} 1",
                "node_network_mtu_bytes{device=\"eth0\"} 1400",
                "node_network_receive_nohandler_total{device=\"eth0\"} 7",
                "node_network_speed_bytes{device=\"eth0\"} -125000",
                "node_network_up{device=\"eth0\"} 1",
                "node_network_up{device=\"lo\"} 0",
            ]
        );
        assert!(sampled("netclass", &Tree::new(&[])).unwrap_err().is_absence());
    }

    #[test]
    fn what_hardly_changes_is_read_every_tenth_turn_and_turns_allocate_nothing() {
        let tree = tree();
        let mut scan = Scan {
            folder: Arc::from(tree.path("sys/class/net")),
            readings: Vec::new(),
            turn: 0,
            calls: 0,
            failed: None,
        };
        scan.run();
        let first = scan.calls;
        assert_eq!(allocations(|| (0..9).for_each(|_| scan.run())), 0);
        assert!(scan.calls < first * 2 / 3, "{} calls, {first} in the first turn", scan.calls);
        tree.write("sys/class/net/eth0/dev_id", "0x5\n");
        scan.run();
        let eth0 = scan.readings.iter().find(|reading| reading.name == b"eth0").unwrap();
        assert!(eth0.values.contains(&Some(5.0)));
        tree.remove("sys/class/net/eth0");
        scan.run();
        assert_eq!(scan.readings.len(), 1);
    }
}
