use super::*;
use crate::gate::world::{ALIKE, SEEN, STEADY, Service, cry_wolf, look_worse, made};
use crate::suspects::world::Dice;

#[test]
fn alike_hosts_look_worse_in_less_than_one_of_a_hundred() {
    const SEEDS: u64 = 2_000;
    for (name, service) in ALIKE {
        for minutes in [10, 30, 60] {
            let found = look_worse(service, minutes, 1.0, 0..SEEDS) as u64;
            println!("{name}, {minutes} min: {found} of {SEEDS}");
            assert!(found * 100 < SEEDS, "{name}, {minutes} min: {found} of {SEEDS} look worse");
        }
    }
}

#[test]
fn twice_the_errors_are_found() {
    const SEEDS: u64 = 1_000;
    for (name, service, minutes) in SEEN {
        let found = look_worse(service, minutes, 2.0, 0..SEEDS) as u64;
        println!("{name}, {minutes} min: {found} of {SEEDS}");
        assert!(found * 100 >= SEEDS * 95, "{name}: {found} of {SEEDS} are found");
    }
}

/// A gate that waits asks again each minute, of a canary and of what was there before.
#[test]
fn to_ask_each_minute_cries_wolf_in_less_than_one_of_a_hundred() {
    const SEEDS: u64 = 2_000;
    for (name, is_canary) in [("canary", true), ("before and after", false)] {
        let found = cry_wolf(is_canary, 0..SEEDS) as u64;
        println!("{name}: {found} of {SEEDS}");
        assert!(found * 100 < SEEDS, "{name}: {found} of {SEEDS} cry wolf");
    }
}

/// Kinds of errors of which a cell has each now and then.
fn made_patterns(dice: &mut Dice, new: u64) -> Comparison {
    let cells = [60, 120];
    let seen =
        |dice: &mut Dice, cells: u64, percent: f64| (0..cells).filter(|_| dice.chance(percent / 100.0)).count() as u64;
    let mut patterns: Vec<PatternCells> = (0..150)
        .map(|at| {
            let percent = [0.2, 1.0, 5.0, 30.0][at % 4];
            let [canary, baseline] = cells.map(|cells| seen(dice, cells, percent));
            let own = seen(dice, cells[0], percent);
            PatternCells { pattern: format!("error {at}"), canary, baseline, own }
        })
        .collect();
    patterns.insert(0, PatternCells { pattern: "error new".to_owned(), canary: new, ..PatternCells::default() });
    Comparison { cells: Some(cells), patterns, is_paired: true, ..Comparison::default() }
}

#[test]
fn new_kinds_of_errors_are_found_and_rare_ones_are_not_new() {
    const SEEDS: u64 = 2_000;
    let told = |seed: u64, new: u64| compare(&made_patterns(&mut Dice::new(seed), new)).worse;
    let false_alarms = (0..SEEDS).filter(|seed| !told(*seed, 0).is_empty()).count() as u64;
    println!("{false_alarms} of {SEEDS}");
    assert!(false_alarms * 100 < SEEDS, "{false_alarms} of {SEEDS} look worse");
    for seed in 0..200 {
        let worse = told(seed, 15);
        assert!(worse.iter().any(|one| one.is_pattern && one.text.starts_with("`error new` in 15 of 60")), "{worse:?}");
    }
}

#[test]
fn too_little_is_its_own_answer_and_says_what_is_wanted() {
    let compared = compare(&Comparison::default());
    assert_eq!(
        (compared.outcome, compared.text.as_str()),
        (Outcome::NotEnough, "nothing is there that could be compared")
    );

    let mut dice = Dice::new(1);
    let short = compare(&made(STEADY, 5, 1.0, &mut dice));
    assert_eq!(short.outcome, Outcome::NotEnough);
    assert!(short.text.contains("in 5 minutes on one side, 100 in 10 wanted"), "{}", short.text);

    // A canary that says nothing at all is no good one.
    let mut mute = made(STEADY, 30, 1.0, &mut dice);
    mute.rates[0].canary.iter_mut().for_each(|slot| *slot = Count(0, 0));
    assert_eq!(compare(&mute).outcome, Outcome::NotEnough);

    // So does a rate that could not be counted, also where another one could.
    let mut unknown = made(STEADY, 60, 1.0, &mut dice);
    let rate = Rate { missing: "no counter x_total of web1 was there".to_owned(), ..unknown.rates[0].clone() };
    unknown.rates.push(Rate { name: "failed requests".to_owned(), ..rate });
    let compared = compare(&unknown);
    assert_eq!(
        (compared.outcome, compared.text.as_str()),
        (Outcome::NotEnough, "failed requests: no counter x_total of web1 was there")
    );

    let few_cells = Comparison { cells: Some([9, 60]), ..made(STEADY, 30, 1.0, &mut dice) };
    let compared = compare(&few_cells);
    assert_eq!(compared.outcome, Outcome::NotEnough);
    assert!(compared.text.contains("9 minutes of hosts"), "{}", compared.text);

    // What is worse is worse, whatever there is too little of beside it.
    let worse = Comparison { cells: Some([0, 0]), ..made(Service { errors: 100.0, ..STEADY }, 30, 3.0, &mut dice) };
    assert_eq!(compare(&worse).outcome, Outcome::Worse);
}

#[test]
fn what_would_have_been_seen_is_told_and_no_numbers_break_it() {
    let mut dice = Dice::new(2);
    let compared = compare(&made(Service { errors: 40.0, ..STEADY }, 60, 1.0, &mut dice));
    assert_eq!(compared.outcome, Outcome::NotWorse);
    assert!(compared.text.ends_with("2 times as many would have been seen"), "{}", compared.text);

    let edges = [0, 1, 99, 100, 1 << 40, u64::MAX];
    for one in edges {
        for other in edges {
            let slots = |bad, of| vec![Count(bad, of); 12];
            let rate = Rate { canary: slots(one, other), baseline: slots(other, one), ..Rate::default() };
            let pattern = PatternCells { canary: one, baseline: other, ..PatternCells::default() };
            let numbers = Comparison {
                rates: vec![Rate { own: slots(one, one), hosts: slots(other, other), ..rate }],
                cells: Some([one.min(CELLS_MAX), other]),
                patterns: vec![pattern],
                is_paired: true,
                ..Comparison::default()
            };
            assert_eq!(compare(&numbers), compare(&numbers.clone()));
        }
    }
}
