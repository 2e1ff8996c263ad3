//! How a cursor goes through a relation: which rows a question can want, and in which order.

use std::cmp::Ordering;
use std::sync::Arc;

use muster_common::inventory::Value;

use crate::plan::{Comparison, Term};
use crate::relation::{HostRows, Relation, Shared, value};

/// Where a cursor stands.
pub(crate) enum Walk {
    /// In a list of rows.
    Rows { numbers: Vec<u32>, at: usize },
    /// At row `at` of one of the hosts. `wanted` has a place for each different row.
    Hosts { hosts: Vec<u32>, host: usize, at: usize, wanted: Option<Vec<bool>> },
    /// At row `row` of those in their order, and at place `at` of its hosts, which lie one row after the other in `hosts`.
    Ordered { rows: Vec<Stretch>, hosts: Vec<u32>, row: usize, at: usize },
}

/// A row's number, and where its hosts begin and end.
pub(crate) struct Stretch {
    number: u32,
    begin: usize,
    end: usize,
}

impl Walk {
    /// The rows and hosts that these comparisons allow.
    pub(crate) fn of(relation: &Relation, comparisons: &[Comparison], order: &[Term]) -> Self {
        // The first column is the host, or how many there are; a row begins behind it.
        let (outer, inner): (Vec<&Comparison>, Vec<&Comparison>) = comparisons.iter().partition(|one| one.column == 0);
        let is_wanted = |row: &[Value]| inner.iter().all(|one| one.allows(value(row, one.column - 1)));
        let numbers = |matching: &mut dyn Iterator<Item = (usize, bool)>| {
            // Numbers of rows have 32 bits wherever they are kept.
            matching.filter(|(_, is_in)| *is_in).map(|(at, _)| at as u32).collect()
        };
        match relation {
            Relation::Plain { rows, .. } => {
                let all = |row: &[Value]| comparisons.iter().all(|one| one.allows(value(row, one.column)));
                let numbers = numbers(&mut rows.iter().map(|row| all(row)).enumerate());
                Self::Rows { numbers, at: 0 }
            }
            Relation::Counted(shared) => {
                let counts = shared.counts();
                let count = |at: usize| Value::Integer(counts.get(at).copied().map_or(0, i64::from));
                let is_in = |(at, row): (usize, &Arc<Vec<Value>>)| {
                    let count = count(at);
                    // A row that no host has any more is none.
                    count != Value::Integer(0) && outer.iter().all(|one| one.allows(&count)) && is_wanted(row)
                };
                Self::Rows { numbers: numbers(&mut shared.rows.iter().enumerate().map(is_in).enumerate()), at: 0 }
            }
            Relation::Shared(shared) => {
                let wanted = (!inner.is_empty()).then(|| shared.rows.iter().map(|row| is_wanted(row)).collect());
                let is_in = |host: &Arc<str>| {
                    outer.is_empty() || {
                        let name = Value::from(&**host);
                        outer.iter().all(|one| one.allows(&name))
                    }
                };
                let mut hosts: Vec<u32> = numbers(&mut shared.hosts.iter().map(|host| is_in(&host.host)).enumerate());
                if order.iter().any(|term| term.column > 0) {
                    return Self::ordered(shared, &hosts, wanted.as_deref(), order);
                }
                // They lie in the order of their names.
                if order.first().is_some_and(|term| term.is_descending) {
                    hosts.reverse();
                }
                let mut walk = Self::Hosts { hosts, host: 0, at: 0, wanted };
                walk.settle(shared);
                walk
            }
        }
    }

    /// Row by row in this order, each with all of its hosts: sorted are the different rows alone, and the hosts are counted into their places.
    fn ordered(shared: &Shared, hosts: &[u32], wanted: Option<&[bool]>, order: &[Term]) -> Self {
        let own = |number: &u32| shared.hosts.get(*number as usize).map(|host| (*number, &host.rows));
        let is_wanted = |row: usize| wanted.map_or(row < shared.rows.len(), |all| all.get(row) == Some(&true));
        let mut ends = vec![0_usize; shared.rows.len() + 1];
        for (_, rows) in hosts.iter().filter_map(own) {
            for row in rows.iter().filter(|row| is_wanted(**row as usize)) {
                ends[*row as usize + 1] += 1;
            }
        }
        for row in 1..ends.len() {
            ends[row] += ends[row - 1];
        }
        let mut places = ends.clone();
        let mut found = vec![0_u32; ends.last().copied().unwrap_or_default()];
        for (host, rows) in hosts.iter().filter_map(own) {
            for row in rows.iter().filter(|row| is_wanted(**row as usize)) {
                found[places[*row as usize]] = host;
                places[*row as usize] += 1;
            }
        }
        let stretch = |row: usize| Stretch { number: row as u32, begin: ends[row], end: ends[row + 1] };
        let mut rows: Vec<Stretch> =
            (0..shared.rows.len()).map(stretch).filter(|stretch| stretch.begin < stretch.end).collect();
        rows.sort_by(|one, other| {
            compare(&shared.rows[one.number as usize], &shared.rows[other.number as usize], order)
        });
        Self::Ordered { rows, hosts: found, row: 0, at: 0 }
    }

    /// Goes on by one row.
    pub(crate) fn step(&mut self, relation: &Relation) {
        match self {
            Self::Rows { at, .. } | Self::Hosts { at, .. } => *at += 1,
            Self::Ordered { rows, row, at, .. } => {
                *at += 1;
                if rows.get(*row).is_some_and(|stretch| stretch.begin + *at >= stretch.end) {
                    (*row, *at) = (*row + 1, 0);
                }
            }
        }
        if let Relation::Shared(shared) = relation {
            self.settle(shared);
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Rows { numbers, at } => *at >= numbers.len(),
            Self::Hosts { hosts, host, .. } => *host >= hosts.len(),
            Self::Ordered { rows, row, .. } => *row >= rows.len(),
        }
    }

    /// The host and the row at which it stands, of a relation whose rows hosts share.
    pub(crate) fn of_host<'s>(&self, shared: &'s Shared) -> Option<(&'s HostRows, &'s [Value])> {
        let (host, row) = match self {
            Self::Rows { .. } => return None,
            Self::Hosts { hosts, host, at, .. } => {
                let host = shared.hosts.get(*hosts.get(*host)? as usize)?;
                (host, *host.rows.get(*at)?)
            }
            Self::Ordered { rows, hosts, row, at } => {
                let stretch = rows.get(*row)?;
                (shared.hosts.get(*hosts.get(stretch.begin + at)? as usize)?, stretch.number)
            }
        };
        Some((host, shared.rows.get(row as usize)?))
    }

    /// Goes on to the first row from here that is wanted.
    fn settle(&mut self, shared: &Shared) {
        let Self::Hosts { hosts, host, at, wanted } = self else { return };
        while let Some(rows) = hosts.get(*host).and_then(|number| shared.hosts.get(*number as usize)) {
            let is_wanted = |number: &u32| {
                wanted
                    .as_ref()
                    .map_or((*number as usize) < shared.rows.len(), |all| all.get(*number as usize) == Some(&true))
            };
            match rows.rows.get(*at..).unwrap_or_default().iter().position(is_wanted) {
                Some(further) => {
                    *at += further;
                    return;
                }
                None => (*host, *at) = (*host + 1, 0),
            }
        }
    }
}

/// As SQLite orders values: null, numbers, texts by their bytes.
fn compare(one: &[Value], other: &[Value], order: &[Term]) -> Ordering {
    let terms = order.iter().map(|term| {
        let order = value(one, term.column - 1).cmp(value(other, term.column - 1));
        if term.is_descending { order.reverse() } else { order }
    });
    terms.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
