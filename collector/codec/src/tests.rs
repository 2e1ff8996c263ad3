//! Properties over many random texts, and bytes that nobody wrote.

use std::collections::{BTreeMap, BTreeSet};

use crate::{TokenMap, TokenMapBuilder, fold, groups_of, hash, inner_tokens, tokens, union};

/// xorshift: the same run for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn text(&mut self, length: u64) -> Vec<u8> {
        (0..self.below(length)).map(|_| b"ab_9 .-=\"\xc3\xa9\x00Zz"[self.below(14) as usize]).collect()
    }
}

#[test]
fn tokens_are_runs_of_letters_digits_underscores_and_high_bytes() {
    let text = "GET /api/v1?x=5 caf\u{e9}_9 [--] \u{0}end".as_bytes();
    let found: Vec<&[u8]> = tokens(text).collect();
    assert_eq!(found, [&b"GET"[..], b"api", b"v1", b"x", b"5", "caf\u{e9}_9".as_bytes(), b"end"]);
    assert_eq!((tokens(b"").count(), tokens(b"...").count()), (0, 0));
    assert!(tokens(text).all(|token| hash(token) < 1 << 40));
}

#[test]
fn only_tokens_with_a_separator_on_both_sides_are_inner() {
    let inner = |needle: &'static str| inner_tokens(needle.as_bytes()).collect::<Vec<_>>();
    assert_eq!(inner("error"), [b""; 0]);
    assert_eq!(inner(" error"), [b""; 0]);
    assert_eq!(inner(" error "), [b"error"]);
    assert_eq!(inner("user=bob status"), [b"bob"]);
    assert_eq!(inner("=a.b="), [b"a", b"b"]);
    assert_eq!((inner("..").len(), inner("").len()), (0, 0));
}

#[test]
fn whatever_contains_a_needle_has_its_inner_tokens() {
    let mut dice = Dice(7);
    for _ in 0..20_000 {
        let text = dice.text(60);
        if text.is_empty() {
            continue;
        }
        let start = dice.below(text.len() as u64) as usize;
        let end = start + dice.below((text.len() - start) as u64 + 1) as usize;
        let whole: BTreeSet<&[u8]> = tokens(&text).collect();
        for token in inner_tokens(&text[start..end]) {
            assert!(whole.contains(token), "{:?} of {text:?}", &text[start..end]);
        }
    }
}

/// A map of random texts, and what it must say.
fn random(dice: &mut Dice, groups: u32) -> (TokenMap, BTreeMap<u64, Vec<u32>>) {
    let (mut builder, mut model) = (TokenMapBuilder::default(), BTreeMap::new());
    for group in 0..groups {
        for _ in 0..dice.below(30) {
            let mut text = dice.text(40);
            text.extend(format!(" common n{}", dice.below(5_000)).into_bytes());
            builder.text(&text);
            let mut folded = Vec::new();
            fold(&text, &mut folded);
            for token in tokens(&folded) {
                let list: &mut Vec<u32> = model.entry(hash(token)).or_default();
                if list.last() != Some(&group) {
                    list.push(group);
                }
            }
        }
        builder.end_group();
    }
    let (map, total) = builder.finish();
    assert_eq!(total, groups);
    (map, model)
}

#[test]
fn a_map_says_for_every_token_exactly_the_groups_that_have_it() {
    let mut dice = Dice(99);
    for groups in [1, 2, 7, 60, 150] {
        let (map, model) = random(&mut dice, groups);
        assert_eq!(map.fences.len(), map.pages.len());
        for (&hash, list) in &model {
            assert_eq!(map.groups(hash, groups).as_ref(), Some(list));
            assert_eq!(map.groups(hash + 1, groups), Some(model.get(&(hash + 1)).cloned().unwrap_or_default()));
        }
        assert_eq!(map.groups(0, groups), Some(model.get(&0).cloned().unwrap_or_default()));
    }
    assert_eq!(TokenMap::default().groups(5, 0), Some(Vec::new()));
}

#[test]
fn case_does_not_matter_to_a_map() {
    let mut builder = TokenMapBuilder::default();
    builder.text(b"Connection RESET");
    builder.end_group();
    let (map, total) = builder.finish();
    assert_eq!(map.groups(hash(b"reset"), total), Some(vec![0]));
    assert_eq!(map.groups(hash(b"RESET"), total), Some(vec![]));
}

#[test]
fn a_union_has_the_pairs_of_all_and_no_other() {
    let mut dice = Dice(3);
    for _ in 0..20 {
        let parts: Vec<_> = (0..=dice.below(4)).map(|_| random(&mut dice, 40)).collect();
        let maps: Vec<TokenMap> = parts.iter().map(|(map, _)| map.clone()).collect();
        let mut model: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for (hash, list) in parts.iter().flat_map(|(_, model)| model) {
            model.entry(*hash).or_default().extend(list);
        }
        let joined = union(&maps, 40, 40).unwrap();
        for (hash, list) in model {
            assert_eq!(joined.groups(hash, 40), Some(list.into_iter().collect()));
        }
        assert_eq!(union(&maps[..1], 40, 40).as_ref(), Some(&maps[0]), "of one it is that one");
    }
    let (map, _) = random(&mut dice, 40);
    assert_eq!(union(&[map], 40, 3), None, "a group beyond the total");
}

#[test]
fn more_pairs_than_are_held_at_once_make_the_same_map() {
    // Tests hold 4,096 pairs: these make more runs than are kept apart.
    let (mut builder, groups) = (TokenMapBuilder::default(), 40u32);
    for group in 0..groups {
        let line: String = (0..2_500).map(|word| format!("w{} ", word + group * 1_000)).collect();
        builder.text(line.as_bytes());
        builder.end_group();
    }
    let (map, total) = builder.finish();
    for word in (0..41_500u32).step_by(97) {
        let first = word.saturating_sub(2_499).div_ceil(1_000);
        let expected: Vec<u32> = (first..=(word / 1_000).min(groups - 1)).collect();
        assert_eq!(map.groups(hash(format!("w{word}").as_bytes()), total), Some(expected), "{word}");
    }
}

#[test]
fn foreign_bytes_never_panic_and_never_name_a_group_that_is_not_there() {
    let mut dice = Dice(5);
    let (map, _) = random(&mut dice, 60);
    let check = |page: &[u8], hash: u64| {
        let groups = groups_of(page, hash, 60).unwrap_or_default();
        assert!(groups.iter().all(|&group| group < 60) && groups.is_sorted_by(|a, b| a < b), "{groups:?}");
    };
    let page = &map.pages[0];
    for at in 0..page.len() {
        check(&page[..at], u64::MAX);
        let mut changed = page.clone();
        changed[at] ^= 1 << dice.below(8);
        check(&changed, u64::MAX);
        let damaged = TokenMap { fences: map.fences.clone(), pages: vec![changed] };
        let _ = union(&[damaged], 60, 60);
    }
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..dice.below(80)).map(|_| dice.below(256) as u8).collect();
        check(&bytes, dice.below(1 << 40));
    }
    assert_eq!(groups_of(&[0x80; 20], 1, 60), None, "a number that does not end");
    assert_eq!(groups_of(&[1, 0xff, 0xff, 0xff, 0xff, 0x7f], 1, 60), None, "a count that memory has not");
}
