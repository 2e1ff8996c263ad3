//! What changed between two looks at one table.

use super::rows::{Digest, Rows, RowsError, key_of};
use super::{Row, Value};

/// What leads from the rows of one look to those of the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Keys of rows that are no more.
    pub gone: Vec<Vec<Value>>,
    /// Rows that are new, or another than before with the same key.
    pub now: Vec<Row>,
}

/// Why a difference cannot be worked in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DifferenceError {
    #[error("it begins from other rows of table {table} than are known here")]
    Base { table: &'static str },
    #[error("it leads to other rows of table {table} than it says")]
    Result { table: &'static str },
    #[error(transparent)]
    Row(#[from] RowsError),
}

impl Difference {
    /// From `before` to `after`, which are of the same table; in the order of keys.
    pub fn between(before: &Rows, after: &Rows) -> Self {
        let table = after.table();
        let is_in = |rows: &Rows, row: &Row| rows.get(&key_of(table, row)).is_some();
        let gone = before.iter().filter(|row| !is_in(after, row)).map(|row| key_of(table, row)).collect();
        let now = after.iter().filter(|row| before.get(&key_of(table, row)) != Some(*row)).cloned().collect();
        Self { gone, now }
    }

    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.now.is_empty()
    }

    /// The rows after it.
    ///
    /// # Errors
    /// [`DifferenceError`] when it is not of these rows, or does not lead where it says.
    pub fn apply(&self, before: &Rows, (from, to): (Digest, Digest)) -> Result<Rows, DifferenceError> {
        let table = before.table().name;
        if before.digest() != from {
            return Err(DifferenceError::Base { table });
        }
        let mut after = before.clone();
        for key in &self.gone {
            after.remove(key);
        }
        for row in &self.now {
            after.put(row.clone())?;
        }
        if after.digest() == to { Ok(after) } else { Err(DifferenceError::Result { table }) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::named;
    use super::*;

    fn rows(random: &mut fastrand::Rng) -> Rows {
        let mut rows = Rows::new(named("listening_ports").unwrap());
        for _ in 0..random.usize(0..12) {
            let user = if random.bool() { Value::Null } else { "root".into() };
            rows.add(["tcp".into(), "::".into(), random.i64(0..10).into(), "sshd".into(), Value::Null, user]);
        }
        rows
    }

    #[test]
    fn a_difference_leads_from_any_rows_to_any_others() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let (before, after) = (rows(&mut random), rows(&mut random));
            let difference = Difference::between(&before, &after);
            let way = (before.digest(), after.digest());
            assert_eq!(difference.apply(&before, way).unwrap(), after);
            assert_eq!(difference.is_empty(), before == after);
            let back = Difference::between(&after, &before);
            assert_eq!(back.apply(&after, (way.1, way.0)).unwrap(), before);
        }
    }

    #[test]
    fn what_begins_or_ends_elsewhere_is_refused() {
        let mut random = fastrand::Rng::with_seed(8);
        let (one, mut other) = (rows(&mut random), rows(&mut random));
        other.add(["udp".into(), "::".into(), 99.into()]);
        let difference = Difference::between(&one, &other);
        let told = |way| difference.apply(&one, way).unwrap_err();
        let table = "listening_ports";
        assert_eq!(told((other.digest(), other.digest())), DifferenceError::Base { table });
        assert_eq!(told((one.digest(), one.digest())), DifferenceError::Result { table });
        let wrong = Difference { gone: Vec::new(), now: vec![vec![1.into()]] };
        assert!(matches!(wrong.apply(&one, (one.digest(), one.digest())), Err(DifferenceError::Row(_))));
    }
}
