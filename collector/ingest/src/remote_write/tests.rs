//! What the tests of remote write share: a writer of request bodies.

/// A `prometheus.WriteRequest` as senders write it.
#[derive(Default)]
pub(crate) struct Body(Vec<u8>);

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn label_fields(labels: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut out, 1, &label);
    }
    out
}

impl Body {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn series(self, labels: &[(&str, &str)], samples: &[(f64, i64)]) -> Self {
        let mut series = label_fields(labels);
        for (value, at_ms) in samples {
            let mut sample = vec![0x09];
            sample.extend(value.to_le_bytes());
            sample.push(0x10);
            put_varint(&mut sample, at_ms.cast_unsigned());
            put_bytes(&mut series, 2, &sample);
        }
        self.raw_series(&series)
    }

    pub(crate) fn raw_series(mut self, series: &[u8]) -> Self {
        put_bytes(&mut self.0, 1, series);
        self
    }

    pub(crate) fn metadata(mut self, kind: u64, family: &str) -> Self {
        let mut metadata = vec![0x08];
        put_varint(&mut metadata, kind);
        put_bytes(&mut metadata, 2, family.as_bytes());
        put_bytes(&mut self.0, 3, &metadata);
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn compressed(self) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(&self.0).unwrap()
    }
}
