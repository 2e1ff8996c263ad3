use super::*;
use crate::remote_write::tests::{Body, label_fields};

#[test]
fn series_samples_and_metadata_come_out_as_they_went_in() {
    let body = Body::new()
        .series(&[("__name__", "up"), ("job", "a")], &[(1.5, 1_700_000_000_000), (f64::NAN, -5)])
        .series(&[("__name__", "down")], &[])
        .metadata(1, "up")
        .bytes();
    let request = walk(&body).unwrap();
    assert_eq!(request.series.len(), 2);
    assert_eq!(request.series[0].labels, label_fields(&[("__name__", "up"), ("job", "a")]));
    assert_eq!((request.series[0].first_sample, request.series[1].first_sample), (0, 2));
    assert_eq!(request.samples[0], RawSample { at_ms: 1_700_000_000_000, value: 1.5, is_stamped: true });
    assert_eq!((request.samples[1].at_ms, request.samples[1].value.is_nan()), (-5, true));
    assert_eq!(request.metadata, [RawMetadata { kind: 1, family: b"up" }]);
    let labels = walk_labels(request.series[0].labels).unwrap();
    assert_eq!(labels, [(b"__name__".as_slice(), b"up".as_slice()), (b"job", b"a")]);
}

#[test]
fn labels_that_do_not_lie_together_are_gathered() {
    let labels = [label_fields(&[("__name__", "a")]), label_fields(&[("b", "c")])];
    let mut series = labels[0].clone();
    series.extend([0x12, 2, 0x10, 7]);
    series.extend(&labels[1]);
    let body = Body::new().raw_series(&series).bytes();
    let request = walk(&body).unwrap();
    assert_eq!(request.scattered, [(0, labels.concat())]);
    assert_eq!(request.samples, [RawSample { at_ms: 7, value: 0.0, is_stamped: true }]);
}

#[test]
fn unknown_fields_are_skipped_and_defaults_hold() {
    let series = [0x12, 0, 0x1a, 1, 0, 0x22, 0, 0xa0, 6, 1, 0x4d, 0, 0, 0, 0];
    let request_bytes = Body::new().raw_series(&series).bytes();
    let request = walk(&request_bytes).unwrap();
    assert_eq!(request.samples, [RawSample { at_ms: 0, value: 0.0, is_stamped: false }]);
    assert_eq!((request.series[0].histograms, request.series[0].labels), (1, [].as_slice()));
}

#[test]
fn broken_bytes_are_refused_with_their_place() {
    let cases: [(&[u8], ProtobufError); 8] = [
        (&[0x0a, 5, 1], ProtobufError::Cut { at: 0 }),
        (&[0x0a], ProtobufError::Cut { at: 1 }),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], ProtobufError::Cut { at: 0 }),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], ProtobufError::Varint { at: 1 }),
        (&[0x02, 0], ProtobufError::FieldZero { at: 0 }),
        (&[0x0b], ProtobufError::Wire { field: 1, wire: 3, at: 0 }),
        (&[0x0a, 2, 0x0a, 9], ProtobufError::Cut { at: 2 }),
        (&[0x0a, 3, 0x12, 1, 9], ProtobufError::Cut { at: 5 }),
    ];
    for (body, error) in cases {
        assert_eq!(walk(body), Err(WalkError::Protobuf(error)), "{body:02x?}");
    }
}

#[test]
fn no_cut_and_no_flip_of_a_body_panics() {
    let good = Body::new()
        .series(&[("__name__", "up"), ("job", "a")], &[(1.5, 1_700_000_000_000)])
        .series(&[("__name__", "x")], &[(2.5, 3)])
        .metadata(2, "up")
        .bytes();
    for cut in 0..good.len() {
        let _ = walk(&good[..cut]);
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[cut] ^= 1 << bit;
            if let Ok(request) = walk(&bad) {
                for series in &request.series {
                    let _ = walk_labels(series.labels);
                }
            }
        }
    }
}
