//! Random queries against evaluation as one would write it without thinking of speed.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::label::LabelSet;

use crate::logql::script::{Stored, asked, range};
use crate::value::{Direction, LogValue};

/// Nanoseconds of the unit of times here.
const MS: i64 = 1_000_000;

/// Seeded, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from((self.0 >> 11) % bound).unwrap()
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

fn random_lines(random: &mut Random) -> Vec<Stored> {
    let mut all = Vec::new();
    for (app, host) in [("web", "a"), ("web", "b"), ("db", "a")] {
        let labels = Arc::new(LabelSet::new([("app", app), ("host", host)]).unwrap());
        for _ in 0..random.below(60) {
            let level = random.pick(&["info", "warn", "error"]);
            let text =
                format!("level={level} n={} {}", random.below(9), random.pick(&["alpha", "beta alpha", "gamma"]));
            let fields = match random.below(3) {
                0 => LabelSet::new([("trace", random.pick(&["1", "2"]))]).unwrap(),
                _ => LabelSet::default(),
            };
            all.push(Stored {
                labels: Arc::clone(&labels),
                at_ns: random.below(1_000) * MS,
                line: text.into_bytes(),
                fields,
            });
        }
    }
    all
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
}

/// A line filter and what it means.
struct Filter {
    sign: &'static str,
    text: &'static str,
}

impl Filter {
    fn random(random: &mut Random) -> Vec<Self> {
        let signs = ["|=", "!=", "|~", "!~"];
        let one = |random: &mut Random| Self {
            sign: signs[usize::try_from(random.below(4)).unwrap()],
            text: random.pick(&["alpha", "level=warn", "a", "n=1", "zeta"]),
        };
        (0..random.below(3)).map(|_| one(random)).collect()
    }

    fn keeps(&self, line: &str) -> bool {
        line.contains(self.text) == self.sign.starts_with('|')
    }
}

#[test]
fn windows_equal_windows_counted_one_by_one() {
    let mut random = Random(0x5eed_0011);
    let mut compared = 0;
    for round in 0..400 {
        let stored = random_lines(&mut random);
        let filters = Filter::random(&mut random);
        let written: String = filters.iter().map(|one| format!(" {} \"{}\"", one.sign, one.text)).collect();
        let by = random.pick(&["app", "host", "level", "trace", "none"]);
        let function = random.pick(&["count_over_time", "rate", "bytes_over_time", "sum_over_time", "max_over_time"]);
        let (span, offset) = (1 + random.below(400), random.below(3) * random.below(100));
        let (start, step) = (random.below(600) - 100, 1 + random.below(150));
        let end = start + step * random.below(12);
        let unwraps = matches!(function, "sum_over_time" | "max_over_time");
        let unwrap = if unwraps { "| unwrap n " } else { "" };
        let aggregation = if function == "max_over_time" { "max" } else { "sum" };
        let query = format!(
            "{aggregation} by ({by}) ({function}({{app=~\"web|db\"}}{written} | logfmt {unwrap}[{span}ms] offset {offset}ms))"
        );
        let LogValue::Matrix(all) = range(&stored, &query, (start * MS, end * MS, step * MS)).unwrap().value else {
            panic!("{query}")
        };
        let mut cells = 0;
        for now in (0..).map(|index| start + index * step).take_while(|now| *now <= end) {
            let mut groups: BTreeMap<&str, f64> = BTreeMap::new();
            for one in &stored {
                let line = std::str::from_utf8(&one.line).unwrap();
                let at = one.at_ns / MS + offset;
                if at <= now - span || at > now || !filters.iter().all(|filter| filter.keeps(line)) {
                    continue;
                }
                let group = match by {
                    "level" => field(line, "level"),
                    "trace" => one.fields.get("trace").unwrap_or(""),
                    _ => one.labels.get(by).unwrap_or(""),
                };
                let n: f64 = field(line, "n").parse().unwrap();
                let cell = groups.entry(group).or_insert(if function == "max_over_time" { n } else { 0.0 });
                match function {
                    "max_over_time" => *cell = cell.max(n),
                    "sum_over_time" => *cell += n,
                    "bytes_over_time" => *cell += f64::from(u32::try_from(line.len()).unwrap()),
                    "rate" => *cell += 1e3 / f64::from(u32::try_from(span).unwrap()),
                    _ => *cell += 1.0,
                }
            }
            cells += groups.len();
            for (group, value) in groups {
                compared += 1;
                let own = all.iter().find(|one| one.labels.get(by).unwrap_or("") == group);
                let own = own.and_then(|own| Some(own.values[own.millis.iter().position(|ms| *ms == now)?]));
                let near = own.is_some_and(|own| (own - value).abs() <= 1e-9 * value.abs().max(1.0));
                assert!(near, "round {round}, {query} at {now}: {group:?} is {value}, got {own:?}");
            }
        }
        assert_eq!(all.iter().map(|one| one.values.len()).sum::<usize>(), cells, "round {round}, {query}");
    }
    assert!(compared > 2_000, "{compared}");
}

#[test]
fn lines_equal_lines_filtered_one_by_one() {
    let mut random = Random(0x5eed_0012);
    let mut compared = 0;
    for round in 0..400 {
        let stored = random_lines(&mut random);
        let filters = Filter::random(&mut random);
        let written: String = filters.iter().map(|one| format!(" {} \"{}\"", one.sign, one.text)).collect();
        let (from, to) = (random.below(500), 300 + random.below(800));
        let to = to.max(from);
        let limit = usize::try_from(1 + random.below(50)).unwrap();
        let backward = random.below(2) == 0;
        let least = random.below(9);
        let query = format!("{{app=\"web\"}}{written} | logfmt | n >= {least} | drop n, level, trace");
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let LogValue::Streams(streams) =
            asked(&stored, &query, (from * MS, to * MS, 1), limit, direction).unwrap().value
        else {
            panic!("{query}")
        };
        let mut wanted: Vec<(i64, &str)> = stored
            .iter()
            .filter(|one| one.labels.get("app") == Some("web") && (from * MS..to * MS).contains(&one.at_ns))
            .map(|one| (one.at_ns, std::str::from_utf8(&one.line).unwrap()))
            .filter(|(_, line)| filters.iter().all(|filter| filter.keeps(line)))
            .filter(|(_, line)| field(line, "n").parse::<i64>().unwrap() >= least)
            .collect();
        wanted.sort_by_key(|(at, _)| if backward { -at } else { *at });
        // Of the lines at the limit's own time any may be among the answer's.
        let last = wanted.get(limit.min(wanted.len()).wrapping_sub(1)).map(|(at, _)| *at);
        let all = wanted.len() <= limit;
        let sure = |at: i64| all || Some(at) != last;
        let mut own: Vec<(i64, &str)> = streams
            .iter()
            .flat_map(|stream| &stream.entries)
            .map(|entry| (entry.at_ns, std::str::from_utf8(&entry.line).unwrap()))
            .collect();
        assert_eq!(own.len(), wanted.len().min(limit), "round {round}, {query}");
        own.retain(|(at, _)| sure(*at));
        let mut wanted: Vec<_> = wanted.into_iter().take(limit).filter(|(at, _)| sure(*at)).collect();
        own.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(own, wanted, "round {round}, {query}");
        compared += own.len();
        for stream in &streams {
            let times: Vec<i64> = stream.entries.iter().map(|entry| entry.at_ns).collect();
            assert!(if backward { times.is_sorted_by(|a, b| a >= b) } else { times.is_sorted() });
        }
    }
    assert!(compared > 2_000, "{compared}");
}
