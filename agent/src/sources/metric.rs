//! What a source keeps of the series it gives: one metric, a table of metrics a device, names that the kernel chooses, and
//! series whose labels are the message. All register a series when its first value comes and then only store numbers.

use muster_common::sample::MetricKind;

use super::parse;
use crate::rows::{Rows, SeriesHandle};

pub(crate) type FixedLabels = &'static [(&'static str, &'static str)];

/// One series with a fixed name.
#[derive(Debug)]
pub(crate) struct Metric {
    name: &'static str,
    labels: FixedLabels,
    kind: MetricKind,
    handle: Option<SeriesHandle>,
}

impl Metric {
    pub(crate) const fn counter(name: &'static str) -> Self {
        Self { name, labels: &[], kind: MetricKind::Counter, handle: None }
    }

    pub(crate) const fn gauge(name: &'static str) -> Self {
        Self { name, labels: &[], kind: MetricKind::Gauge, handle: None }
    }

    pub(crate) const fn with(mut self, labels: FixedLabels) -> Self {
        self.labels = labels;
        self
    }

    pub(crate) fn put(&mut self, rows: &mut Rows, value: f64) {
        if self.handle.is_none() {
            self.handle = rows.add(self.name, self.labels, self.kind);
        }
        if let Some(handle) = self.handle {
            rows.set(handle, value);
        }
    }

    /// As [`Metric::put`], unless the kernel's text was no number: then the series is absent from this row.
    pub(crate) fn put_some(&mut self, rows: &mut Rows, value: Option<f64>) {
        if let Some(value) = value {
            self.put(rows, value);
        }
    }
}

/// One metric that every device of a [`Devices`] table has.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    /// Labels beside the device's own.
    pub(crate) labels: FixedLabels,
}

impl Column {
    pub(crate) const fn counter(name: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter, labels: &[] }
    }

    pub(crate) const fn gauge(name: &'static str) -> Self {
        Self { name, kind: MetricKind::Gauge, labels: &[] }
    }

    pub(crate) const fn with(mut self, labels: FixedLabels) -> Self {
        self.labels = labels;
        self
    }
}

/// The same metrics for each of a changing set of things: processors, disks, interfaces.
#[derive(Debug)]
pub(crate) struct Devices {
    columns: &'static [Column],
    devices: Vec<Device>,
    /// Where the next device is expected, since the kernel keeps its order.
    cursor: usize,
}

#[derive(Debug)]
struct Device {
    key: Vec<u8>,
    labels: Vec<(&'static str, String)>,
    handles: Vec<Option<SeriesHandle>>,
    seen: bool,
}

impl Devices {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        Self { columns, devices: Vec::new(), cursor: 0 }
    }

    /// Opens a reading: no device has been seen in it yet.
    pub(crate) fn begin(&mut self) {
        self.cursor = 0;
        self.devices.iter_mut().for_each(|device| device.seen = false);
    }

    /// The number of the device with this key; a new one gets the single label `label` = key.
    pub(crate) fn device(&mut self, label: &'static str, key: &[u8]) -> usize {
        self.device_with(key, || vec![(label, parse::text(key))])
    }

    /// As [`Devices::device`], with labels made for a new device only.
    pub(crate) fn device_with(&mut self, key: &[u8], labels: impl FnOnce() -> Vec<(&'static str, String)>) -> usize {
        let expected = self.devices.get(self.cursor).is_some_and(|device| device.key == key);
        let found = if expected { Some(self.cursor) } else { self.devices.iter().position(|device| device.key == key) };
        let index = found.unwrap_or_else(|| {
            let handles = vec![None; self.columns.len()];
            self.devices.push(Device { key: key.to_vec(), labels: labels(), handles, seen: true });
            self.devices.len() - 1
        });
        self.devices[index].seen = true;
        self.cursor = index + 1;
        index
    }

    pub(crate) fn put(&mut self, rows: &mut Rows, device: usize, column: usize, value: f64) {
        if let Some(handle) = self.handle(rows, device, column) {
            rows.set(handle, value);
        }
    }

    /// Adds to what this row has for the device already.
    pub(crate) fn accumulate(&mut self, rows: &mut Rows, device: usize, column: usize, value: f64) {
        if let Some(handle) = self.handle(rows, device, column) {
            rows.accumulate(handle, value);
        }
    }

    /// The value of an earlier row, if there was one. A stale marker is no value.
    pub(crate) fn last(&self, rows: &Rows, device: usize, column: usize) -> Option<f64> {
        let handle = self.devices.get(device)?.handles.get(column).copied()??;
        Some(rows.last(handle)).filter(|value| !value.is_nan())
    }

    fn handle(&mut self, rows: &mut Rows, device: usize, column: usize) -> Option<SeriesHandle> {
        let device = self.devices.get_mut(device)?;
        let handle = device.handles.get_mut(column)?;
        if handle.is_none() {
            let column = &self.columns[column];
            let own = device.labels.iter().map(|(name, value)| (*name, value.as_str()));
            let labels: Vec<(&str, &str)> = own.chain(column.labels.iter().copied()).collect();
            *handle = rows.add(column.name, &labels, column.kind);
        }
        *handle
    }

    /// Closes a reading that was complete: devices that were not in it are gone, and their series end.
    pub(crate) fn finish(&mut self, rows: &mut Rows) {
        if self.devices.iter().all(|device| device.seen) {
            return;
        }
        self.devices.retain(|device| {
            if !device.seen {
                device.handles.iter().flatten().for_each(|handle| rows.retire(*handle));
            }
            device.seen
        });
    }
}

/// Series whose names the kernel chooses: a field of a file each. They are never retired, since fields do not go.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    fields: Vec<(Vec<u8>, Vec<u8>, Option<SeriesHandle>)>,
    cursor: usize,
}

impl Fields {
    pub(crate) fn begin(&mut self) {
        self.cursor = 0;
    }

    /// Stores the value of field `group` + `field`; `name` makes the metric's name for a new one.
    pub(crate) fn put(
        &mut self,
        rows: &mut Rows,
        (group, field): (&[u8], &[u8]),
        kind: MetricKind,
        value: f64,
        name: impl FnOnce() -> String,
    ) {
        let is = |entry: &(Vec<u8>, Vec<u8>, _)| entry.0 == group && entry.1 == field;
        let expected = self.fields.get(self.cursor).is_some_and(is);
        let found = if expected { Some(self.cursor) } else { self.fields.iter().position(is) };
        let index = found.unwrap_or_else(|| {
            self.fields.push((group.to_vec(), field.to_vec(), rows.add(&name(), &[], kind)));
            self.fields.len() - 1
        });
        self.cursor = index + 1;
        if let Some(handle) = self.fields[index].2 {
            rows.set(handle, value);
        }
    }
}

/// A series whose labels are what it tells, its value 1: when a label changes, the old series ends and a new one begins.
#[derive(Debug)]
pub(crate) struct Info {
    name: &'static str,
    names: &'static [&'static str],
    told: Vec<String>,
    handle: Option<SeriesHandle>,
}

impl Info {
    pub(crate) const fn new(name: &'static str, names: &'static [&'static str]) -> Self {
        Self { name, names, told: Vec::new(), handle: None }
    }

    /// Stores `value` under these label values, in the order of the names.
    pub(crate) fn put<V: AsRef<str>>(&mut self, rows: &mut Rows, values: &[V], value: f64) {
        let same =
            self.told.len() == values.len() && self.told.iter().zip(values).all(|(old, new)| old == new.as_ref());
        if !same || self.handle.is_none() {
            self.end(rows);
            self.told = values.iter().map(|value| value.as_ref().to_owned()).collect();
            let labels: Vec<(&str, &str)> =
                self.names.iter().zip(&self.told).map(|(name, value)| (*name, value.as_str())).collect();
            self.handle = rows.add(self.name, &labels, MetricKind::Gauge);
        }
        if let Some(handle) = self.handle {
            rows.set(handle, value);
        }
    }

    /// Ends the series.
    pub(crate) fn end(&mut self, rows: &mut Rows) {
        if let Some(handle) = self.handle.take() {
            rows.retire(handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::shown;

    const COLUMNS: [Column; 2] = [Column::counter("reads_total"), Column::gauge("state").with(&[("mode", "x")])];

    fn tick(rows: &mut Rows, at: i64, mut fill: impl FnMut(&mut Rows)) -> Vec<String> {
        rows.begin(at);
        rows.source(0);
        fill(rows);
        rows.finish();
        shown(rows)
    }

    #[test]
    fn devices_come_and_go_with_their_series() {
        let (mut rows, mut devices) = (Rows::default(), Devices::new(&COLUMNS));
        let mut read = |names: &[&str]| {
            tick(&mut rows, 0, |rows| {
                devices.begin();
                for name in names {
                    let device = devices.device("device", name.as_bytes());
                    devices.put(rows, device, 0, 1.0);
                    devices.accumulate(rows, device, 1, 2.0);
                }
                devices.finish(rows);
            })
        };
        assert_eq!(read(&["a"]), ["reads_total{device=\"a\"} 1", "state{device=\"a\",mode=\"x\"} 2"]);
        assert_eq!(read(&["b", "a"]).len(), 4);
        let ended = read(&["b"]);
        assert!(ended.contains(&"reads_total{device=\"a\"} stale".to_owned()), "{ended:?}");
        assert_eq!(read(&["b"]).len(), 2);
    }

    #[test]
    fn an_info_series_ends_when_a_label_changes() {
        let mut info = Info::new("link_info", &["state", "alias"]);
        let mut rows = Rows::default();
        assert_eq!(tick(&mut rows, 0, |rows| info.put(rows, &["up", ""], 1.0)), ["link_info{state=\"up\"} 1"]);
        let generation = rows.generation();
        tick(&mut rows, 1, |rows| info.put(rows, &["up", ""], 1.0));
        assert_eq!(rows.generation(), generation);
        let changed = tick(&mut rows, 2, |rows| info.put(rows, &["down", ""], 1.0));
        assert_eq!(changed, ["link_info{state=\"down\"} 1", "link_info{state=\"up\"} stale"]);
    }

    #[test]
    fn a_field_keeps_its_series_wherever_it_stands() {
        let (mut rows, mut fields) = (Rows::default(), Fields::default());
        for order in [["A", "B"], ["B", "A"]] {
            let seen = tick(&mut rows, 0, |rows| {
                fields.begin();
                for name in order {
                    let key = (&b""[..], name.as_bytes());
                    fields.put(rows, key, MetricKind::Untyped, 1.0, || format!("field_{name}"));
                }
            });
            assert_eq!(seen, ["field_A 1", "field_B 1"]);
        }
    }
}
