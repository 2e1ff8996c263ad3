//! Seeded interleavings of a writer, rotations, crashes of the reader, batches lost on the way and a state folder that is wiped: every line
//! arrives once and in order, in every world whose rotation keeps what is written.

use std::time::Duration;

use super::{Bench, packed};
use crate::logs::memory::MemoryFiles;
use crate::logs::reader::Scope;

const LOG: &str = "/var/log/app.log";
/// Rotated files kept: what falls out of the folder has been there for so many rotations.
const KEPT: u32 = 8;

/// How a world rotates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Rename,
    RenameAndPack,
    Copy,
}

struct World {
    files: MemoryFiles,
    bench: Bench<MemoryFiles>,
    rng: fastrand::Rng,
    way: Way,
    written: u32,
    /// Rotations since everything was read: the writer's side of the bargain is to keep them.
    unread_rotations: u32,
    /// A file that is written, copied and cut off between two looks leaves nothing to know its copy by.
    is_looked_at: bool,
}

impl World {
    fn new(seed: u64, way: Way) -> Self {
        let files = MemoryFiles::default();
        let mut bench = Bench::answered(files.clone(), &["/var/log/*.log"]);
        // What is rotated away before anybody ever looked is from before the agent's time.
        files.write(LOG, b"line 0\n");
        bench.settle();
        Self {
            files,
            bench,
            rng: fastrand::Rng::with_seed(seed),
            way,
            written: 1,
            unread_rotations: 0,
            is_looked_at: true,
        }
    }

    fn write(&mut self) {
        for _ in 0..self.rng.u32(0..12) {
            let line = format!("line {}\n", self.written);
            // Sometimes in two pieces, so that a reader may come between.
            let cut = if self.rng.bool() { self.rng.usize(..line.len()) } else { 0 };
            self.files.write(LOG, &line.as_bytes()[..cut]);
            if cut > 0 && self.rng.u8(..4) == 0 {
                self.read();
            }
            self.files.write(LOG, &line.as_bytes()[cut..]);
            self.written += 1;
        }
    }

    fn rotate(&mut self) {
        // An empty file leaves no position behind, and rotation passes it over (logrotate's `notifempty`).
        if self.unread_rotations + 1 >= KEPT || !self.has(LOG) || self.files.bytes(LOG).is_empty() {
            return;
        }
        if self.way == Way::Copy && !std::mem::take(&mut self.is_looked_at) {
            return;
        }
        self.unread_rotations += 1;
        let name = |number: u32, ending: &str| format!("{LOG}.{number}{ending}");
        for ending in ["", ".gz"] {
            let names: Vec<String> = (1..=KEPT).map(|number| name(number, ending)).collect();
            for number in (1..=KEPT as usize).rev() {
                if !self.has(&names[number - 1]) {
                    continue;
                }
                if number == KEPT as usize {
                    self.files.remove(&names[number - 1]);
                } else {
                    self.files.rename(&names[number - 1], &names[number]);
                }
            }
        }
        let first = name(1, "");
        match self.way {
            Way::Copy => {
                self.files.write(&first, &self.files.bytes(LOG));
                // A copy takes time, and somebody may look meanwhile.
                if self.rng.bool() {
                    self.bench.wait(Duration::from_millis(150));
                    self.bench.reader.look_soon(self.bench.now);
                    self.turn(false);
                }
                self.files.truncate(LOG);
            }
            Way::Rename | Way::RenameAndPack => {
                self.files.rename(LOG, &first);
                if self.rng.bool() {
                    self.read();
                }
                let second = name(2, "");
                if self.way == Way::RenameAndPack && self.has(&second) {
                    let bytes = packed(&self.files.bytes(&second));
                    self.files.write(&name(2, ".gz"), &bytes);
                    if self.rng.bool() {
                        self.read();
                    }
                    self.files.remove(&second);
                }
            }
        }
    }

    fn has(&self, path: &str) -> bool {
        use crate::logs::files::Files;
        self.files.stat(std::path::Path::new(path)).is_ok()
    }

    /// Some turns; what they give may get lost, and then the reader is told where the collector is.
    fn read(&mut self) {
        self.bench.wait(Duration::from_millis(self.rng.u64(50..2_000)));
        self.bench.reader.look_soon(self.bench.now);
        for _ in 0..self.rng.u32(1..4) {
            self.turn(true);
        }
    }

    fn turn(&mut self, may_lose: bool) {
        self.is_looked_at |= self.has(LOG) && !self.files.bytes(LOG).is_empty();
        let Some(batch) = self.bench.reader.turn(self.bench.now) else { return };
        let most = self.rng.usize(1..20);
        let lines = |part: &muster_common::wire::message::LogBatch| {
            part.streams.iter().map(|one| one.lines.len()).sum::<usize>()
        };
        let parts = batch.split(&mut |part| lines(part) <= most);
        let lost_at = if may_lose && self.rng.u8(..4) == 0 { self.rng.usize(..=parts.len()) } else { usize::MAX };
        for (index, part) in parts.into_iter().enumerate() {
            if index == lost_at {
                let scope = if self.rng.bool() { Scope::All } else { Scope::Some };
                let positions = if scope == Scope::All { self.bench.collector.positions() } else { Vec::new() };
                self.bench.reader.seek(&positions, scope, self.bench.now);
                return;
            }
            self.bench.collector.take(&part).unwrap_or_else(|problem| panic!("{:?}: {problem}", self.way));
            // An ack may be lost with its connection, which the next answer makes good.
            for range in &part.ranges {
                self.bench.reader.acked(&range.source, range.to);
            }
        }
    }

    fn crash(&mut self) {
        match self.rng.u8(..3) {
            0 => self.bench.restart(true),
            1 => self.bench.restart(false),
            _ => self.bench.stop_and_start(),
        }
        for _ in 0..self.rng.u32(0..3) {
            // What happens while nobody looks is judged by positions alone.
            self.is_looked_at = true;
            self.write();
            if self.rng.bool() {
                self.rotate();
            }
        }
        if self.rng.bool() {
            // The agent is up and the collector away.
            self.turn(false);
            self.write();
            self.rotate();
            self.turn(false);
            if self.rng.bool() {
                self.bench.wait(Duration::from_secs(60));
                self.turn(false);
            }
        }
        self.bench.answer();
        self.is_looked_at = self.has(LOG) && !self.files.bytes(LOG).is_empty();
    }

    fn run(&mut self) -> String {
        for _ in 0..60 {
            match self.rng.u8(..10) {
                0..4 => self.write(),
                4..7 => self.read(),
                7..9 => self.rotate(),
                _ => self.crash(),
            }
            if self.unread_rotations + 2 >= KEPT {
                self.bench.settle();
                self.unread_rotations = 0;
            }
        }
        self.bench.settle_for(Duration::from_secs(45));
        self.bench.lines()
    }
}

fn worlds(way: Way, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut world = World::new(seed, way);
        let got = world.run();
        let expected: String = (0..world.written).map(|number| format!("line {number}\n")).collect();
        if got != expected {
            let lines: Vec<&str> = got.lines().collect();
            let at = lines.iter().zip(expected.lines()).position(|(a, b)| *a != b).unwrap_or(lines.len());
            let (count, around) = (lines.len(), &lines[at.saturating_sub(2)..(at + 3).min(lines.len())]);
            panic!(
                "{way:?} seed {seed}: {count} of {} lines, first wrong at {at}: {around:?}; losses {:?}",
                world.written, world.bench.collector.losses
            );
        }
        assert!(world.bench.collector.is_in_order(), "{way:?} seed {seed}");
        assert_eq!(world.bench.collector.losses, [], "{way:?} seed {seed}");
    }
}

#[test]
fn rename_rotation_loses_and_doubles_nothing_in_any_interleaving() {
    worlds(Way::Rename, 0..150);
}

#[test]
fn rotation_that_compresses_loses_and_doubles_nothing_in_any_interleaving() {
    worlds(Way::RenameAndPack, 0..150);
}

#[test]
fn copies_lose_and_double_nothing_while_the_writer_waits_for_the_cut() {
    worlds(Way::Copy, 0..150);
}
