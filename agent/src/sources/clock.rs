//! The host's clock: what it says, and the hardware it is kept by.

use std::path::PathBuf;

use super::metric::{Info, Metric};
use super::procfs::{ProcFile, Shape};
use super::time_zone::{Zone, zone_at};
use super::{Roots, Source, SourceError, Tick, parse};

const MS_PER_SECOND: f64 = 1000.0;
/// Ticks between two looks at the clock sources: they change by hand, or when the kernel gives one up.
const LOOK_TICKS: u32 = 60;
const LABELS: &[&str] = &["device", "clocksource"];
/// The kernel has one such device, and calls it so.
const DEVICE: &str = "0";

pub(super) struct Clock {
    seconds: Metric,
    ticks: u32,
    current: Sources,
    available: Sources,
    zone_file: PathBuf,
    /// The file's bytes and what they say; read anew at each look, and when the zone's time is over.
    zone_text: Vec<u8>,
    zone: Option<Zone>,
    zone_info: Info,
}

/// A file that names clock sources, and one series a name.
struct Sources {
    file: ProcFile,
    metric: &'static str,
    text: Vec<u8>,
    names: Vec<(String, Info)>,
}

impl Clock {
    pub(super) fn new(roots: &Roots) -> Self {
        let folder = roots.sys.join("devices/system/clocksource/clocksource0");
        let sources = |file, metric| Sources {
            file: ProcFile::new(&folder.join(file), Shape::Record),
            metric,
            text: Vec::new(),
            names: Vec::new(),
        };
        Self {
            seconds: Metric::gauge("node_time_seconds"),
            ticks: 0,
            current: sources("current_clocksource", "node_time_clocksource_current_info"),
            available: sources("available_clocksource", "node_time_clocksource_available_info"),
            zone_file: roots.root.join("etc/localtime"),
            zone_text: Vec::new(),
            zone: None,
            zone_info: Info::new("node_time_zone_offset_seconds", &["time_zone"]),
        }
    }
}

impl Clock {
    fn put_zone(&mut self, tick: &mut Tick<'_>, look: bool) {
        let now = tick.now.millis().div_euclid(1_000);
        let is_over = self.zone.as_ref().is_some_and(|zone| now >= zone.until);
        if look {
            // Without the file the C library keeps UTC.
            let text = tick.scratch.read_once(&self.zone_file).unwrap_or_default();
            if text != self.zone_text {
                self.zone_text = text.to_vec();
                self.zone = None;
            }
            if self.zone.is_none() {
                self.zone = match self.zone_text.as_slice() {
                    b"" => Some(Zone { name: "UTC".to_owned(), offset_seconds: 0, until: i64::MAX }),
                    text => zone_at(text, now),
                };
            }
        }
        if is_over {
            self.zone = zone_at(&self.zone_text, now);
        }
        match &self.zone {
            Some(zone) => self.zone_info.put(tick.rows, &[&zone.name], f64::from(zone.offset_seconds)),
            None => self.zone_info.end(tick.rows),
        }
    }
}

impl Sources {
    fn look(&mut self, tick: &mut Tick<'_>) {
        let text = self.file.read(tick.scratch).map(parse::trimmed).unwrap_or_default();
        self.file.close();
        if text == self.text {
            return;
        }
        self.text = text.to_vec();
        self.names.iter_mut().for_each(|(_, info)| info.end(tick.rows));
        let named = |word| (parse::text(word), Info::new(self.metric, LABELS));
        self.names = parse::words(text).map(named).collect();
    }

    fn put(&mut self, tick: &mut Tick<'_>) {
        self.names.iter_mut().for_each(|(name, info)| info.put(tick.rows, &[DEVICE, name], 1.0));
    }
}

impl Source for Clock {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        self.seconds.put(tick.rows, tick.now.millis() as f64 / MS_PER_SECOND);
        let look = self.ticks.is_multiple_of(LOOK_TICKS);
        self.ticks = self.ticks.wrapping_add(1);
        for sources in [&mut self.current, &mut self.available] {
            if look {
                sources.look(tick);
            }
            sources.put(tick);
        }
        self.put_zone(tick, look);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::time_zone::tests::file;
    use super::*;
    use crate::rows::Rows;
    use crate::sources::Scratch;
    use crate::testing::{Tree, sampled, shown};
    use muster_common::time::Timestamp;

    #[test]
    fn the_zone_changes_with_the_season() {
        let tree = Tree::new(&[]);
        std::fs::create_dir(tree.path("etc")).unwrap();
        let changes = [(1_000, 7_200, "CEST"), (2_000, 3_600, "CET")];
        std::fs::write(tree.path("etc/localtime"), file((3_600, "CET"), &changes, "CET-1")).unwrap();
        let (mut clock, mut rows) = (Clock::new(&tree.roots()), Rows::default());
        let mut zone = |seconds: i64| {
            rows.begin(0);
            rows.source(0);
            let now = Timestamp::from_millis(seconds * 1_000);
            clock.sample(&mut Tick { now, rows: &mut rows, scratch: &mut Scratch::new() }).unwrap();
            rows.finish();
            shown(&rows)
                .into_iter()
                .filter(|line| line.contains("zone") && !line.ends_with("stale"))
                .collect::<Vec<_>>()
        };
        assert_eq!(zone(999), ["node_time_zone_offset_seconds{time_zone=\"CET\"} 3600"]);
        assert_eq!(zone(1_000), ["node_time_zone_offset_seconds{time_zone=\"CEST\"} 7200"]);
        assert_eq!(zone(2_001), ["node_time_zone_offset_seconds{time_zone=\"CET\"} 3600"]);
    }

    #[test]
    fn the_clock_and_its_sources_are_told() {
        let tree = Tree::new(&[
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc kvm-clock \n"),
        ]);
        assert_eq!(
            sampled("time", &tree).unwrap(),
            [
                "node_time_clocksource_available_info{clocksource=\"kvm-clock\",device=\"0\"} 1",
                "node_time_clocksource_available_info{clocksource=\"tsc\",device=\"0\"} 1",
                "node_time_clocksource_current_info{clocksource=\"tsc\",device=\"0\"} 1",
                "node_time_seconds 1700000000.5",
                "node_time_zone_offset_seconds{time_zone=\"UTC\"} 0",
            ]
        );
        assert_eq!(
            sampled("time", &Tree::new(&[])).unwrap(),
            ["node_time_seconds 1700000000.5", "node_time_zone_offset_seconds{time_zone=\"UTC\"} 0"]
        );
    }
}
