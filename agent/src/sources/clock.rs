//! The host's clock: what it says, and the hardware it is kept by.

use super::metric::{Info, Metric};
use super::procfs::{ProcFile, Shape};
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
        }
    }
}

impl Sources {
    fn look(&mut self, tick: &mut Tick<'_>) {
        let text = self.file.read(tick.scratch).map(parse::trimmed).unwrap_or_default();
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
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

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
            ]
        );
        assert_eq!(sampled("time", &Tree::new(&[])).unwrap(), ["node_time_seconds 1700000000.5"]);
    }
}
