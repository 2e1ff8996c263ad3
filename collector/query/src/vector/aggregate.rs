//! Aggregations: each series gets its group once; then group by group all steps are folded at a time.

use crate::error::QueryError;
use crate::vector::fold::Cells;
use crate::vector::labels::{Group, Keys, SeriesLabels};
use crate::vector::meter::Meter;
use crate::vector::ops::Grouping;
use crate::vector::rows::{ABSENT, Row, Rows};

/// The rows of each group, in the order of their first appearance.
pub(crate) struct Groups {
    pub(crate) labels: Vec<SeriesLabels>,
    pub(crate) members: Vec<Vec<usize>>,
}

impl Groups {
    pub(crate) fn of(rows: &Rows, grouping: &Grouping) -> Self {
        let group = Group { without: grouping.without, labels: &grouping.labels };
        let (mut keys, mut key) = (Keys::default(), Vec::new());
        let mut groups = Self { labels: Vec::new(), members: Vec::new() };
        for (index, row) in rows.rows.iter().enumerate() {
            group.key(&row.labels, &mut key);
            let (number, new) = keys.number(&key);
            if new {
                groups.labels.push(SeriesLabels::of_subset(&key));
                groups.members.push(Vec::new());
            }
            groups.members[number].push(index);
        }
        groups
    }
}

/// One row a group, by this fold.
pub(crate) fn fold_groups(
    rows: &Rows,
    grouping: &Grouping,
    steps: usize,
    meter: &mut dyn Meter,
    fold: impl Fn(&[&Row], &mut Cells, &mut [f64]),
) -> Result<Rows, QueryError> {
    let groups = Groups::of(rows, grouping);
    let mut cells = Cells::default();
    let mut out_steps = vec![ABSENT; steps];
    let mut out = Vec::with_capacity(groups.labels.len());
    for (labels, members) in groups.labels.into_iter().zip(groups.members) {
        meter.control().check()?;
        out_steps.fill(ABSENT);
        let members: Vec<&Row> = members.into_iter().map(|index| &rows.rows[index]).collect();
        fold(&members, &mut cells, &mut out_steps);
        if let Some(row) = Row::cut(labels, &out_steps) {
            meter.grow(row.values.len())?;
            out.push(row);
        }
    }
    Ok(Rows::new(out))
}
