//! A relation as a virtual table of SQLite (<https://sqlite.org/vtab.html>): what it asks for row by row is read where it lies.
#![expect(
    unsafe_code,
    reason = "rusqlite's traits of virtual tables are unsafe: the first field must be SQLite's own base, as it is here"
)]

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;

use muster_common::inventory::Value;
use rusqlite::types::Null;
use rusqlite::vtab::{Context, Filters, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor};
use rusqlite::{Connection, ffi};

use crate::plan::{self, Operator, Term};
use crate::relation::{Kind, Relation, value};
use crate::walk::Walk;

/// Makes a relation a table of this name.
///
/// # Errors
/// SQLite's.
pub(crate) fn register(connection: &Connection, name: &str, relation: Relation) -> rusqlite::Result<()> {
    const MODULE: Module<'static, MemoryTable> = Module::eponymous_only_module();
    connection.create_module(name, &MODULE, Some(relation))
}

#[repr(C)]
pub(crate) struct MemoryTable {
    /// SQLite's; first.
    base: ffi::sqlite3_vtab,
    relation: Relation,
}

// SAFETY: `base` is the first field of a struct laid out as C does, and SQLite alone touches it.
unsafe impl<'vtab> VTab<'vtab> for MemoryTable {
    type Aux = Relation;
    type Cursor = MemoryCursor<'vtab>;

    fn connect(
        db: &mut VTabConnection,
        aux: Option<&Relation>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        let relation = aux.cloned().ok_or(rusqlite::Error::InvalidQuery)?;
        db.config(VTabConfig::Innocuous)?;
        let column = |name: &str, kind| {
            let kind = if kind == Kind::Text { "TEXT" } else { "INTEGER" };
            format!("\"{}\" {kind}", name.replace('"', "\"\""))
        };
        let columns: Vec<String> = relation.fields().iter().map(|field| column(&field.name, field.kind)).collect();
        let schema = CString::new(format!("CREATE TABLE x({})", columns.join(", ")))?;
        Ok((Cow::Owned(schema), Self { base: ffi::sqlite3_vtab::default(), relation }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> rusqlite::Result<bool> {
        let mut plan = Vec::new();
        let mut places = Vec::new();
        for (place, constraint) in info.constraints().enumerate() {
            let Ok(column) = usize::try_from(constraint.column()) else { continue };
            let Some(operator) = Operator::of(&constraint.operator()).filter(|_| constraint.is_usable()) else {
                continue;
            };
            if operator.needs_order() && info.collation(place)? != "BINARY" {
                continue;
            }
            plan.push((column, operator));
            places.push(place);
        }
        for (argument, place) in places.into_iter().enumerate() {
            // SQLite counts them from 1, and judges each row again.
            info.constraint_usage(place).set_argv_index(argument as c_int + 1);
        }
        let selected = plan.iter().fold(1.0, |all, (_, operator)| all * operator.selects());
        let rows = (self.relation.size() as f64 / selected).max(1.0);
        info.set_estimated_rows(rows as i64);
        // Each different row is judged, and each host's are looked through.
        info.set_estimated_cost(rows + self.relation.size() as f64 / 100.0);
        let order: Option<Vec<Term>> =
            info.order_bys().map(|term| Term::of(term.column(), term.is_order_by_desc())).collect();
        let order = order.unwrap_or_default();
        let is_kept = self.relation.keeps(&order);
        info.set_order_by_consumed(is_kept);
        info.set_idx_str(&plan::write(&plan, if is_kept { &order } else { &[] }));
        Ok(true)
    }

    fn open(&'vtab mut self) -> rusqlite::Result<Self::Cursor> {
        Ok(MemoryCursor {
            base: ffi::sqlite3_vtab_cursor::default(),
            relation: self.relation.clone(),
            walk: Walk::Rows { numbers: Vec::new(), at: 0 },
            number: 0,
            table: PhantomData,
        })
    }
}

#[repr(C)]
pub(crate) struct MemoryCursor<'vtab> {
    /// SQLite's; first.
    base: ffi::sqlite3_vtab_cursor,
    relation: Relation,
    walk: Walk,
    /// Rows given so far.
    number: i64,
    table: PhantomData<&'vtab MemoryTable>,
}

// SAFETY: as of the table.
unsafe impl VTabCursor for MemoryCursor<'_> {
    fn filter(&mut self, _plan: c_int, plan: Option<&str>, arguments: &Filters<'_>) -> rusqlite::Result<()> {
        let (comparisons, order) = plan::read(plan.unwrap_or_default(), arguments.iter());
        self.walk = Walk::of(&self.relation, &comparisons, &order);
        self.number = 0;
        Ok(())
    }

    fn next(&mut self) -> rusqlite::Result<()> {
        self.number += 1;
        self.walk.step(&self.relation);
        Ok(())
    }

    fn eof(&self) -> bool {
        self.walk.is_over()
    }

    fn column(&self, context: &mut Context, column: c_int) -> rusqlite::Result<()> {
        let column = usize::try_from(column).unwrap_or_default();
        let (first, row) = self.row();
        let found = match (first, column) {
            (None, column) => value(row, column),
            (Some(First::Host(host)), 0) => return context.set_result(host),
            (Some(First::Count(count)), 0) => return context.set_result(count),
            (Some(_), column) => value(row, column - 1),
        };
        match found {
            Value::Null => context.set_result(Null),
            Value::Integer(number) => context.set_result(*number),
            Value::Text(text) => context.set_result(text.as_str()),
        }
    }

    fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(self.number)
    }
}

/// The column before a row's own.
enum First<'r> {
    Host(&'r str),
    Count(i64),
}

impl MemoryCursor<'_> {
    /// The row that the cursor stands at; an empty one behind the last.
    fn row(&self) -> (Option<First<'_>>, &[Value]) {
        match (&self.relation, &self.walk) {
            (Relation::Plain { rows, .. }, Walk::Rows { numbers, at }) => {
                let row = numbers.get(*at).and_then(|number| rows.get(*number as usize));
                (None, row.map_or(&[], |row| row))
            }
            (Relation::Counted(shared), Walk::Rows { numbers, at }) => {
                let number = numbers.get(*at).map_or(usize::MAX, |number| *number as usize);
                let count = shared.counts().get(number).copied().map_or(0, i64::from);
                (Some(First::Count(count)), shared.rows.get(number).map_or(&[], |row| row))
            }
            (Relation::Shared(shared), walk) => {
                let Some((own, row)) = walk.of_host(shared) else { return (None, &[]) };
                (Some(First::Host(&own.host)), row)
            }
            _ => (None, &[]),
        }
    }
}
