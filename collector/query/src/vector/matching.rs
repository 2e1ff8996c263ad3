//! Binary operators between two vectors. Series find each other by a key of their labels, computed once per series;
//! then group by group their rows are combined step by step.

use crate::error::QueryError;
use crate::vector::binary::{Operate, Operator};
use crate::vector::labels::{Group, Keys, SeriesLabels};
use crate::vector::meter::Meter;
use crate::vector::ops::{BinaryOp, Matching, Side};
use crate::vector::rows::{Row, Rows};

/// The rows of both sides by match group.
#[derive(Default)]
struct Sides {
    left: Vec<Vec<usize>>,
    right: Vec<Vec<usize>>,
}

impl Sides {
    fn of(left: &Rows, right: &Rows, matching: &Matching) -> Self {
        let group = Group { without: !matching.on, labels: &matching.labels };
        let (mut keys, mut key, mut sides) = (Keys::default(), Vec::new(), Self::default());
        for (rows, is_left) in [(left, true), (right, false)] {
            for (index, row) in rows.rows.iter().enumerate() {
                group.key(&row.labels, &mut key);
                let (number, new) = keys.number(&key);
                if new {
                    sides.left.push(Vec::new());
                    sides.right.push(Vec::new());
                }
                if is_left { sides.left[number].push(index) } else { sides.right[number].push(index) }
            }
        }
        sides
    }
}

pub(crate) fn combine(
    meter: &mut dyn Meter,
    binary: &Operator<'_>,
    left: Rows,
    right: Rows,
    steps: usize,
) -> Result<Rows, QueryError> {
    let sides = Sides::of(&left, &right, binary.matching);
    match binary.op {
        BinaryOp::And => Ok(filter(left, &right, &sides, steps, true)),
        BinaryOp::Unless => Ok(filter(left, &right, &sides, steps, false)),
        BinaryOp::Or => either(left, right, &sides, steps),
        _ => Join::new(binary, &left, &right, steps).run(&sides, meter),
    }
}

/// The left side where the right side has, or has not, something of the same group.
fn filter(mut left: Rows, right: &Rows, sides: &Sides, steps: usize, wanted: bool) -> Rows {
    let mut present = vec![false; steps];
    for (of_left, of_right) in sides.left.iter().zip(&sides.right) {
        mark(right, of_right, &mut present);
        for index in of_left {
            left.rows[*index].map(|step, value| (present[step] == wanted).then_some(value));
        }
    }
    left.rows.retain(|row| !row.values.is_empty());
    left
}

/// The left side, and of the right side what has no left of its group.
fn either(mut left: Rows, mut right: Rows, sides: &Sides, steps: usize) -> Result<Rows, QueryError> {
    let mut present = vec![false; steps];
    for (of_left, of_right) in sides.left.iter().zip(&sides.right) {
        mark(&left, of_left, &mut present);
        for index in of_right {
            right.rows[*index].map(|step, value| (!present[step]).then_some(value));
        }
    }
    right.rows.retain(|row| !row.values.is_empty());
    left.rows.append(&mut right.rows);
    if steps > 1 {
        left.merge()?;
    }
    Ok(left)
}

fn mark(rows: &Rows, members: &[usize], present: &mut [bool]) {
    present.fill(false);
    for index in members {
        rows.rows[*index].points().for_each(|(step, _)| present[step] = true);
    }
}

/// Arithmetic or comparison of a many side with a one side; one to one is many to one with at most one of many.
struct Join<'a> {
    binary: &'a Operator<'a>,
    matching: &'a Matching,
    operate: Operate,
    many: &'a Rows,
    one: &'a Rows,
    /// The many side is the right one.
    swapped: bool,
    steps: usize,
    /// At which steps the many side has something; empty until it is asked for.
    many_steps: Vec<bool>,
    keys: Keys,
    out: Vec<Joined>,
}

/// A row of the result and the group that wrote it last.
struct Joined {
    row: Row,
    group: usize,
}

/// No row of the one side.
const NOBODY: u32 = u32::MAX;

impl<'a> Join<'a> {
    fn new(binary: &'a Operator<'a>, left: &'a Rows, right: &'a Rows, steps: usize) -> Self {
        let swapped = binary.matching.side == Side::ManyRight;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        Self {
            binary,
            matching: binary.matching,
            operate: binary.operate,
            many,
            one,
            swapped,
            steps,
            many_steps: Vec::new(),
            keys: Keys::default(),
            out: Vec::new(),
        }
    }

    fn run(mut self, sides: &Sides, meter: &mut dyn Meter) -> Result<Rows, QueryError> {
        let (of_many, of_one) = if self.swapped { (&sides.right, &sides.left) } else { (&sides.left, &sides.right) };
        let mut owners = vec![NOBODY; self.steps];
        let mut taken = vec![false; self.steps];
        for (group, (many, one)) in of_many.iter().zip(of_one).enumerate() {
            if group % 64 == 0 {
                meter.control().check()?;
            }
            self.find_owners(one, &mut owners)?;
            if many.is_empty() || one.is_empty() {
                continue;
            }
            taken.fill(false);
            for index in many {
                let grown = self.join(group, &self.many.rows[*index], &owners, &mut taken)?;
                meter.grow(grown)?;
            }
        }
        let ordered = self.many.ordered;
        let rows = self.out.into_iter().map(|joined| joined.row).filter(|row| !row.values.is_empty());
        Ok(Rows { rows: rows.collect(), ordered })
    }

    /// Which row of the one side stands at each step; two at once are an error.
    fn find_owners(&mut self, one: &[usize], owners: &mut [u32]) -> Result<(), QueryError> {
        owners.fill(NOBODY);
        for index in one {
            for (step, _) in self.one.rows[*index].points() {
                // Where the many side has nothing at all, nothing is matched.
                if owners[step] != NOBODY && self.many_present(step) {
                    return Err(self.many_to_many(*index, owners[step] as usize));
                }
                owners[step] = u32::try_from(*index).unwrap_or(NOBODY);
            }
        }
        Ok(())
    }

    fn many_present(&mut self, step: usize) -> bool {
        if self.many_steps.is_empty() {
            self.many_steps = vec![false; self.steps];
            let points = self.many.rows.iter().flat_map(Row::points);
            points.for_each(|(step, _)| self.many_steps[step] = true);
        }
        self.many_steps[step]
    }

    fn many_to_many(&self, late: usize, early: usize) -> QueryError {
        let (late, early) = (&self.one.rows[late].labels, &self.one.rows[early].labels);
        let mut key = Vec::new();
        Group { without: !self.matching.on, labels: &self.matching.labels }.key(late, &mut key);
        QueryError::execution(format!(
            "found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}]\
             ;many-to-many matching not allowed: matching labels must be unique on one side",
            braced(&SeriesLabels::of_subset(&key)),
            if self.swapped { "left" } else { "right" },
            braced(late),
            braced(early),
        ))
    }

    /// Combines one row of the many side with those of the one side. Answers how many cells that took.
    fn join(&mut self, group: usize, many: &Row, owners: &[u32], taken: &mut [bool]) -> Result<usize, QueryError> {
        let mut grown = 0;
        // The result's labels hang on the one side only by the labels taken over from it.
        let mut place: Option<(u32, usize)> = None;
        for (step, value) in many.points() {
            let owner = owners[step];
            if owner == NOBODY {
                continue;
            }
            let Some(other) = self.one.rows[owner as usize].get(step) else { continue };
            let (a, b) = if self.swapped { (other, value) } else { (value, other) };
            let Some(result) = self.operate.apply(a, b, a, self.binary.as_bool) else { continue };
            let known = place.filter(|(by, _)| *by == owner || self.matching.include.is_empty());
            let index = match known {
                Some((_, index)) => index,
                None => self.place(&many.labels, owner as usize, group)?,
            };
            place = Some((owner, index));
            if self.matching.side == Side::OneToOne && std::mem::replace(&mut taken[step], true) {
                return Err(QueryError::execution(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                ));
            }
            let joined = &mut self.out[index];
            if joined.row.get(step).is_some() {
                return Err(if joined.group == group {
                    QueryError::execution("multiple matches for labels: grouping labels must ensure unique matches")
                } else {
                    QueryError::same_labels()
                });
            }
            joined.group = group;
            grown += joined.row.set(step, result);
        }
        Ok(grown)
    }

    /// The result row for a series of the many side and one of the one side.
    fn place(&mut self, many: &SeriesLabels, owner: usize, group: usize) -> Result<usize, QueryError> {
        let labels = self.result_labels(many, &self.one.rows[owner].labels)?;
        let mut key = Vec::new();
        labels.subset(|_| true, &mut key);
        let (index, new) = self.keys.number(&key);
        if new {
            self.out.push(Joined { row: Row { labels, first: 0, values: Vec::new() }, group });
        }
        Ok(index)
    }

    fn result_labels(&self, many: &SeriesLabels, one: &SeriesLabels) -> Result<SeriesLabels, QueryError> {
        let mut labels = many.clone();
        if matches!(self.operate, Operate::Arithmetic(_)) {
            labels.drop_name();
        }
        if self.matching.side == Side::OneToOne {
            let listed = |name: &[u8]| self.matching.labels.iter().any(|label| label.as_bytes() == name);
            let mut kept = Vec::new();
            labels.subset(|name| listed(name) == self.matching.on, &mut kept);
            labels = SeriesLabels::of_subset(&kept);
        }
        if !self.matching.include.is_empty() {
            let taken: Vec<_> = self.matching.include.iter().map(|name| (name.as_str(), one.get(name))).collect();
            labels = labels.with(&taken)?;
        }
        if self.binary.as_bool {
            labels.drop_name();
        }
        Ok(labels)
    }
}

/// Labels as Prometheus' errors print them: the name among the others.
fn braced(labels: &SeriesLabels) -> String {
    let set = labels.to_set();
    let pairs: Vec<_> = set.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
