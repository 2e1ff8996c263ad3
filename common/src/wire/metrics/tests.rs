use super::*;
use crate::sample::STALE_BITS;
use crate::wire::message::SeriesEntry;
use crate::wire::tests::alloc::calls;

fn context(series: &[(f64, u8)]) -> Context {
    let entry = |scale| SeriesEntry { name: "m".into(), labels: Vec::new(), kind: 0, scale };
    Context {
        id: 1,
        series: series.iter().map(|(_, scale)| entry(*scale)).collect(),
        row: series.iter().map(|(value, _)| *value).collect(),
        extensions: Vec::new(),
    }
}

fn empty() -> Scrape {
    Scrape { at_ms: 0, present: Vec::new(), differs: Vec::new(), changes: Vec::new(), raw: Vec::new() }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Values that tend to break number coding.
const ODD: [f64; 18] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    12.34,
    -12.35,
    0.1 + 0.2,
    1e15 + 0.3,
    9_007_199_254_740_992.0,
    -9_007_199_254_740_992.0,
    9_007_199_254_740_993.5,
    1e300,
    f64::MIN_POSITIVE,
    5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

fn value(rng: &mut fastrand::Rng) -> f64 {
    match rng.u8(0..6) {
        0 => f64::from_bits(rng.u64(..)),
        1 => f64::from_bits(STALE_BITS),
        2 => f64::from_bits(0x7ff0_0000_0000_0000 | rng.u64(1..1 << 52)),
        3 => rng.i64(-1_000_000_000..1_000_000_000) as f64 / 10f64.powi(rng.i32(0..12)),
        4 => rng.i64(-(1 << 60)..1 << 60) as f64,
        _ => *rng.choice(&ODD).unwrap(),
    }
}

#[test]
fn any_row_comes_back_bit_for_bit() {
    let (mut scrape, mut whole) = (empty(), 0);
    for seed in 0..3_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let series: Vec<_> = (0..rng.usize(0..40))
            .map(|_| {
                let row = value(&mut rng);
                (row, *rng.choice(&[pick_scale(row), 0, 2, SCALE_MAX, SCALE_RAW]).unwrap())
            })
            .collect();
        let coder = RowCoder::new(&context(&series)).unwrap();
        let mut present = vec![0; coder.bitmap_bytes()];
        let mut values = Vec::new();
        for (index, (row, scale)) in series.iter().enumerate() {
            if rng.u8(..) < 200 {
                present[index / 8] |= 1 << (index % 8);
                let near = *row + f64::from(rng.i8(..)) / 10f64.powi(i32::from(*scale).min(9));
                let odd = value(&mut rng);
                values.push(*rng.choice(&[*row, near, odd]).unwrap());
            }
        }
        coder.encode(7, Some(&present), &values, &mut scrape).unwrap();
        let mut back = vec![1.0];
        coder.decode(&scrape, &mut back).unwrap();
        assert_eq!((bits(&back[1..]), scrape.at_ms, &scrape.present), (bits(&values), 7, &present), "seed {seed}");
        whole += usize::from(values.len() == series.len());
        if values.len() == series.len() {
            let mut all = empty();
            coder.encode(7, None, &values, &mut all).unwrap();
            assert_eq!((all.present, all.changes), (scrape.present.clone(), scrape.changes.clone()));
        }
    }
    assert!(whole > 20);
}

#[test]
fn steps_of_a_scale_take_a_byte_or_two() {
    let coder = RowCoder::new(&context(&[(12.34, 2), (1e9, 0), (0.5, 255)])).unwrap();
    let mut scrape = empty();
    coder.encode(0, None, &[12.5, 1e9 + 100.0, 0.25], &mut scrape).unwrap();
    assert_eq!((scrape.changes.as_slice(), scrape.raw.as_slice()), (&[33, 0xc9, 1, 0][..], &[0.25][..]));
    coder.encode(0, None, &[12.34, 1e9, 0.5], &mut scrape).unwrap();
    assert_eq!((scrape.changes.len(), scrape.differs[0], scrape.present[0]), (0, 0, 0b111), "nothing moved");
}

#[test]
fn the_scale_is_the_fewest_places_that_hold_the_value() {
    for (value, scale) in [
        (0.0, 0),
        (-3.0, 0),
        (0.25, 2),
        (12.34, 2),
        (1e-9, 9),
        (0.123_456_789, 9),
        (1.0 / 3.0, SCALE_RAW),
        (1e-10, SCALE_RAW),
        (1e300, SCALE_RAW),
        (9_007_199_254_740_992.0, 0),
        (-0.0, 0),
        (f64::NAN, 0),
        (f64::INFINITY, 0),
    ] {
        assert_eq!(pick_scale(value), scale, "{value}");
    }
}

#[test]
fn coding_asks_for_no_memory_once_the_lists_have_room() {
    let series: Vec<_> = (0..500).map(|i| (f64::from(i), 0)).collect();
    let coder = RowCoder::new(&context(&series)).unwrap();
    let values: Vec<f64> = (0..500).map(|i| f64::from(i) + if i % 3 == 0 { 0.1 } else { 1.0 }).collect();
    let (mut scrape, mut back) = (empty(), Vec::new());
    let mut round = || {
        back.clear();
        coder.encode(0, None, &values, &mut scrape).unwrap();
        coder.decode(&scrape, &mut back).unwrap();
    };
    round();
    assert_eq!(calls(round).1, 0);
}

#[test]
fn what_does_not_fit_the_context_is_refused_by_name() {
    let coder = RowCoder::new(&context(&[(1.0, 0), (2.0, 1), (3.0, 255)])).unwrap();
    let mut good = empty();
    coder.encode(0, Some(&[0b111]), &[5.0, 2.5, 7.5], &mut good).unwrap();
    let refuse = |change: &dyn Fn(&mut Scrape), expected: RowError| {
        let mut scrape = good.clone();
        change(&mut scrape);
        let mut values = vec![9.0];
        assert_eq!(coder.decode(&scrape, &mut values), Err(expected));
        assert_eq!(values, [9.0], "nothing is left behind");
    };
    refuse(&|s| s.present.push(0), RowError::Bitmap { bitmap: "present", found: 2, needed: 1, series: 3 });
    refuse(&|s| s.differs.clear(), RowError::Bitmap { bitmap: "differs", found: 0, needed: 1, series: 3 });
    refuse(&|s| s.present[0] |= 8, RowError::UnusedBits { bitmap: "present", series: 3 });
    refuse(&|s| s.differs[0] |= 0x80, RowError::UnusedBits { bitmap: "differs", series: 3 });
    refuse(&|s| s.present[0] = 0b101, RowError::DiffersAbsent { series: 1 });
    refuse(&|s| s.changes.truncate(1), RowError::ChangesEnd { series: 1 });
    refuse(&|s| s.changes[0] |= 0x80, RowError::ChangesEnd { series: 2 });
    refuse(&|s| s.changes = vec![0x89, 0, 1, 0], RowError::Varint { series: 0 });
    refuse(&|s| s.changes = [&[0xff; 9][..], &[2, 1, 0]].concat(), RowError::Varint { series: 0 });
    refuse(&|s| s.changes = [&[0xff; 9][..], &[1, 1, 0]].concat(), RowError::Range { series: 0 });
    refuse(&|s| s.changes[2] = 1, RowError::Range { series: 2 });
    let leap = |whole: i64| {
        let mut changes = Vec::new();
        put_varint(&mut changes, zigzag(whole - 1) + 1);
        [changes.as_slice(), &good.changes[1..]].concat()
    };
    refuse(&|s| s.changes = leap((1 << 53) + 1), RowError::Range { series: 0 });
    refuse(&|s| s.changes = leap(-(1 << 53) - 1), RowError::Range { series: 0 });
    let mut edge = good.clone();
    edge.changes = leap(-(1 << 53));
    let mut values = Vec::new();
    coder.decode(&edge, &mut values).unwrap();
    assert_eq!(values[0], -9_007_199_254_740_992.0, "the last exact one is taken");
    refuse(&|s| s.raw.clear(), RowError::RawEnd { series: 2 });
    refuse(&|s| s.raw.push(1.0), RowError::LeftOver { changes: 0, raw: 1 });
    refuse(&|s| s.changes.push(1), RowError::LeftOver { changes: 1, raw: 0 });
    let mut scrape = empty();
    assert_eq!(coder.encode(0, None, &[1.0], &mut scrape), Err(RowError::Values { found: 1, needed: 3 }));
    assert!(matches!(coder.encode(0, Some(&[8]), &[1.0], &mut scrape), Err(RowError::UnusedBits { .. })));
    let mut short = context(&[(1.0, 0)]);
    short.row.clear();
    assert_eq!(RowCoder::new(&short).unwrap_err(), RowError::Context { series: 1, row: 0 });
    assert_eq!(RowCoder::new(&context(&[(1.0, 77)])).unwrap_err(), RowError::Scale { series: 0, scale: 77 });
}

#[test]
fn scrapes_of_random_bytes_never_panic() {
    let series: Vec<_> = ODD.iter().map(|value| (*value, pick_scale(*value))).collect();
    let coder = RowCoder::new(&context(&series)).unwrap();
    let mut taken = 0;
    for seed in 0..20_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut bytes = |count| std::iter::repeat_with(|| rng.u8(..)).take(count).collect::<Vec<u8>>();
        let (mut present, mut differs) = (bytes(3), bytes(3));
        present[2] &= 3;
        differs.iter_mut().zip(&present).for_each(|(differs, present)| *differs &= present);
        let needed = count_ones(&differs);
        let changes = bytes(needed).into_iter().map(|byte| byte & 0x7f).collect();
        let mut scrape = Scrape { at_ms: 0, present, differs, changes, raw: vec![1.5; rng.usize(0..3)] };
        taken += u32::from(coder.decode(&scrape, &mut Vec::new()).is_ok());
        scrape.changes = vec![0; rng.usize(0..40)];
        rng.fill(&mut scrape.changes);
        taken += u32::from(coder.decode(&scrape, &mut Vec::new()).is_ok());
    }
    assert!(taken > 50, "{taken}");
}
