//! One question over all tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_common::time;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};

use crate::answer::{Answer, Cell};
use crate::error::SqlError;
use crate::relation::Relation;
use crate::{functions, table};

/// Bounds of one question.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From its beginning to its end.
    pub time: Duration,
    pub rows: usize,
    /// Texts of an answer, together.
    pub bytes: usize,
    /// What SQLite may allocate, in all questions of the process that are answered at one time.
    pub mib: u64,
}

impl Default for Limits {
    /// A question of a person, of which two are answered at once: sorting a million rows of a hundred bytes has room.
    fn default() -> Self {
        Self { time: Duration::from_secs(10), rows: 10_000, bytes: 16 << 20, mib: 256 }
    }
}

/// Tables by name.
#[derive(Clone, Debug, Default)]
pub struct Database {
    tables: BTreeMap<String, Relation>,
}

/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 2_000;

/// SQLite's limits by which one question is kept small; its defaults are for files that belong to who asks.
const LIMITS: [(Limit, i32); 9] = [
    // One text or row: 1 MiB.
    (Limit::SQLITE_LIMIT_LENGTH, 1 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX as i32),
    (Limit::SQLITE_LIMIT_COLUMN, 200),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// A question's own text.
const SQL_BYTES_MAX: usize = 64 << 10;

impl Database {
    /// Adds a table; one of the same name goes.
    pub fn add(&mut self, name: &str, relation: Relation) {
        self.tables.insert(name.to_owned(), relation);
    }

    /// Names of all tables, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Answers one `SELECT`.
    ///
    /// # Errors
    /// [`SqlError`]: the question is wrong, does something else than read, or needs more than `limits`.
    pub fn ask(&self, sql: &str, limits: &Limits) -> Result<Answer, SqlError> {
        let forbidden = Arc::new(AtomicBool::new(false));
        let mut connection = self.open(limits, &forbidden).map_err(|error| failed(&error))?;
        let late = Arc::new(AtomicBool::new(false));
        let (begun, allowed, is_late) = (time::monotonic(), limits.time, Arc::clone(&late));
        let look = move || {
            let over = time::monotonic().saturating_sub(begun) > allowed;
            is_late.fetch_or(over, Ordering::Relaxed);
            over
        };
        connection.progress_handler(STEPS, Some(look)).map_err(|error| failed(&error))?;
        let told = |error: rusqlite::Error| {
            if late.load(Ordering::Relaxed) {
                SqlError::Time { seconds: limits.time.as_secs() }
            } else if forbidden.load(Ordering::Relaxed) {
                SqlError::Forbidden
            } else {
                self.told(&error, limits)
            }
        };
        let mut statement = connection.prepare(sql).map_err(told)?;
        if statement.column_count() == 0 || !statement.readonly() {
            return Err(SqlError::Forbidden);
        }
        read(&mut statement, limits).map_err(told)
    }

    /// A database in memory that has these tables and may be read, and nothing else.
    fn open(&self, limits: &Limits, forbidden: &Arc<AtomicBool>) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_MEMORY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(":memory:", flags)?;
        // What is sorted stays in memory: this program has no folder for it, and the limit is of memory.
        connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
        connection.query_row(&format!("PRAGMA hard_heap_limit = {}", limits.mib << 20), [], |_| Ok(()))?;
        for (limit, value) in LIMITS {
            connection.set_limit(limit, value)?;
        }
        functions::register(&connection)?;
        for (name, relation) in &self.tables {
            table::register(&connection, name, relation.clone())?;
        }
        let forbidden = Arc::clone(forbidden);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            let is_allowed = reads(&context.action);
            forbidden.fetch_or(!is_allowed, Ordering::Relaxed);
            if is_allowed { Authorization::Allow } else { Authorization::Deny }
        }))?;
        Ok(connection)
    }

    fn told(&self, error: &rusqlite::Error, limits: &Limits) -> SqlError {
        use rusqlite::{Error, ErrorCode};
        let (problem, at) = match error {
            Error::MultipleStatement => return SqlError::Several,
            error if error.sqlite_error_code() == Some(ErrorCode::OutOfMemory) => {
                return SqlError::Memory { mib: limits.mib };
            }
            // A mistake in the question has SQLite's general code, and mostly a place.
            Error::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok()),
            Error::SqliteFailure(code, Some(message)) if code.code == ErrorCode::Unknown => (message.clone(), None),
            other => return failed(other),
        };
        if problem.starts_with("no such table") {
            SqlError::NoTable { problem, tables: self.names().collect::<Vec<_>>().join(", ") }
        } else if problem.starts_with("no such column") {
            SqlError::NoColumn { problem, columns: self.columns() }
        } else if problem.ends_with("may not be modified") {
            SqlError::Forbidden
        } else {
            SqlError::Syntax { problem, at }
        }
    }

    /// What each table has, to people.
    fn columns(&self) -> String {
        let one = |(name, relation): (&String, &Relation)| {
            let names: Vec<String> = relation.fields().into_iter().map(|field| field.name).collect();
            format!("{name} has {}", names.join(", "))
        };
        self.tables.iter().filter(|(name, _)| !name.ends_with("_counted")).map(one).collect::<Vec<_>>().join("; ")
    }
}

/// Reading, and functions that only compute. Virtual tables are made when they are first named, which SQLite asks for as an update of its
/// own list of tables.
fn reads(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => !FORBIDDEN.contains(&function_name.to_ascii_lowercase().as_str()),
        _ => false,
    }
}

/// What is no computation, in case a build of SQLite has it.
const FORBIDDEN: [&str; 5] = ["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"];

fn failed(error: &rusqlite::Error) -> SqlError {
    SqlError::Failed { problem: error.to_string() }
}

fn read(statement: &mut Statement<'_>, limits: &Limits) -> rusqlite::Result<Answer> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut answer = Answer { columns, ..Answer::default() };
    let mut bytes = 0;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if answer.rows.len() >= limits.rows || bytes > limits.bytes {
            answer.is_cut = true;
            break;
        }
        let cells = (0..answer.columns.len()).map(|at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Integer(number),
                ValueRef::Real(number) => Cell::Real(number),
                ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
            })
        });
        let cells = cells.collect::<rusqlite::Result<Vec<Cell>>>()?;
        bytes += cells.iter().map(Cell::bytes).sum::<usize>();
        answer.rows.push(cells);
    }
    Ok(answer)
}
