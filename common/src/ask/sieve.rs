//! What a question makes of a row: whether its conditions hold, and which of its values are told.

use crate::inventory::{Column, Kind, Row, Table, Value};
use crate::limits::{ASK_FILTERS_MAX, INVENTORY_TEXT_BYTES_MAX};
use crate::wire::message::{AskFilter, AskTest};

/// Letters of a foreign name that stand in an error: enough to know it again.
const NAME_LETTERS_MAX: usize = 64;

/// Each test and its sign, as people write it.
pub const SIGNS: [(AskTest, &str); 8] = [
    (AskTest::Equal, "="),
    (AskTest::NotEqual, "!="),
    (AskTest::LessOrEqual, "<="),
    (AskTest::Less, "<"),
    (AskTest::GreaterOrEqual, ">="),
    (AskTest::Greater, ">"),
    (AskTest::Contains, "contains"),
    (AskTest::StartsWith, "starts_with"),
];

/// A test as people write it.
pub fn sign(test: AskTest) -> &'static str {
    SIGNS.iter().find(|(known, _)| *known == test).map_or("", |(_, sign)| sign)
}

/// Why a question cannot be asked of a table: what is wrong, and what there is instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("there is no table `{asked}` to ask: there are {known}")]
    NoTable { asked: String, known: String },
    #[error("table {table} has no column `{asked}`: it has {known}")]
    NoColumn { table: &'static str, asked: String, known: String },
    #[error("column `{column}` is asked for twice: name it once")]
    Twice { column: &'static str },
    #[error("`{test}` does not fit column `{column}`, which holds {holds}: write one of {known}")]
    Test { test: &'static str, column: &'static str, holds: &'static str, known: &'static str },
    #[error("column `{column}` holds {holds}, and the condition on it has {found}: {remedy}")]
    Kind { column: &'static str, holds: &'static str, found: &'static str, remedy: &'static str },
    #[error(
        "the condition on column `{column}` has a text of {bytes} bytes: no host tells more than {INVENTORY_TEXT_BYTES_MAX}"
    )]
    Long { column: &'static str, bytes: usize },
    #[error("there are {found} conditions: write at most {ASK_FILTERS_MAX}")]
    TooMany { found: usize },
}

/// One condition: the place of its column, how, against what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    place: usize,
    test: AskTest,
    value: Value,
}

/// A question's columns and conditions, fitted to its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sieve {
    table: &'static Table,
    /// Places of the columns told, in the order of the answer.
    told: Vec<usize>,
    conditions: Vec<Condition>,
}

impl Sieve {
    /// Fits columns (none: all) and conditions (all must hold) to a table.
    ///
    /// # Errors
    /// [`AskError`] with the first thing that the table does not have or that does not fit it.
    pub fn new(table: &'static Table, columns: &[String], filters: &[AskFilter]) -> Result<Self, AskError> {
        if filters.len() > ASK_FILTERS_MAX {
            return Err(AskError::TooMany { found: filters.len() });
        }
        let mut told = Vec::new();
        for name in columns {
            let place = place_of(table, name)?;
            if told.contains(&place) {
                return Err(AskError::Twice { column: table.columns[place].name });
            }
            told.push(place);
        }
        if told.is_empty() {
            told = (0..table.columns.len()).collect();
        }
        let conditions = filters.iter().map(|filter| condition(table, filter)).collect::<Result<_, _>>()?;
        Ok(Self { table, told, conditions })
    }

    /// As [`Sieve::new`], of a table's name.
    ///
    /// # Errors
    /// [`AskError::NoTable`], or as [`Sieve::new`].
    pub fn of(table: &str, columns: &[String], filters: &[AskFilter]) -> Result<Self, AskError> {
        let found = super::named(table).ok_or_else(|| AskError::NoTable {
            asked: shortened(table),
            known: super::all().map(|table| table.name).collect::<Vec<_>>().join(", "),
        })?;
        Self::new(found, columns, filters)
    }

    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The columns told, in the order of the answer.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.told.iter().map(|place| &self.table.columns[*place])
    }

    /// Whether the answer depends on this column, by its being told or by a condition: what it takes to find out may be left otherwise.
    pub fn needs(&self, column: &str) -> bool {
        let is_it = |place: usize| self.table.columns[place].name == column;
        self.told.iter().any(|place| is_it(*place)) || self.conditions.iter().any(|one| is_it(one.place))
    }

    /// Whether all conditions hold of a row of the table. A value that the row does not have is null.
    pub fn fits(&self, row: &[Value]) -> bool {
        self.conditions.iter().all(|one| holds(row.get(one.place).unwrap_or(&Value::Null), one.test, &one.value))
    }

    /// The values of a row that are told.
    pub fn told(&self, row: &[Value]) -> Row {
        self.told.iter().map(|place| row.get(*place).cloned().unwrap_or_default()).collect()
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(NAME_LETTERS_MAX).collect()
}

fn place_of(table: &'static Table, name: &str) -> Result<usize, AskError> {
    table.column(name).ok_or_else(|| AskError::NoColumn {
        table: table.name,
        asked: shortened(name),
        known: table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", "),
    })
}

fn condition(table: &'static Table, filter: &AskFilter) -> Result<Condition, AskError> {
    let place = place_of(table, &filter.column)?;
    let Column { name: column, kind } = table.columns[place];
    let (is_of_texts, is_same) = (
        matches!(filter.test, AskTest::Contains | AskTest::StartsWith),
        matches!(filter.test, AskTest::Equal | AskTest::NotEqual),
    );
    let holds = match kind {
        Kind::Text => "texts",
        Kind::Integer => "numbers",
        Kind::Time => "times",
    };
    let test = sign(filter.test);
    if is_of_texts && kind != Kind::Text {
        return Err(AskError::Test { test, column, holds, known: "=, !=, <, <=, >, >=" });
    }
    let wrong = |found, remedy| Err(AskError::Kind { column, holds, found, remedy });
    match (&filter.value, kind) {
        (Value::Null, _) if is_same => {}
        (Value::Null, _) => return wrong("null", "nothing is less or more than null; write = or !="),
        (Value::Text(text), Kind::Text) if text.len() > INVENTORY_TEXT_BYTES_MAX => {
            return Err(AskError::Long { column, bytes: text.len() });
        }
        (Value::Text(_), Kind::Text) | (Value::Integer(_), Kind::Integer | Kind::Time) => {}
        (Value::Text(_), Kind::Integer) => return wrong("a text", "write a number"),
        (Value::Text(_), Kind::Time) => return wrong("a text", "write seconds since 1970"),
        (Value::Integer(_), Kind::Text) => return wrong("a number", "write a text"),
    }
    Ok(Condition { place, test: filter.test, value: filter.value.clone() })
}

/// What is not known is equal to null and to nothing else, and less or more than nothing.
fn holds(value: &Value, test: AskTest, against: &Value) -> bool {
    match test {
        AskTest::Equal => return value == against,
        AskTest::NotEqual => return value != against,
        _ => {}
    }
    match (value, against) {
        (Value::Integer(value), Value::Integer(against)) => ordered(value, test, against),
        (Value::Text(value), Value::Text(against)) => match test {
            AskTest::Contains => value.contains(against.as_str()),
            AskTest::StartsWith => value.starts_with(against.as_str()),
            _ => ordered(value.as_bytes(), test, against.as_bytes()),
        },
        _ => false,
    }
}

fn ordered<T: Ord + ?Sized>(value: &T, test: AskTest, against: &T) -> bool {
    match test {
        AskTest::Less => value < against,
        AskTest::LessOrEqual => value <= against,
        AskTest::Greater => value > against,
        AskTest::GreaterOrEqual => value >= against,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(column: &str, test: AskTest, value: impl Into<Value>) -> AskFilter {
        AskFilter { column: column.to_owned(), test, value: value.into() }
    }

    fn users(columns: &[&str], filters: &[AskFilter]) -> Result<Sieve, AskError> {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        Sieve::of("users", &columns, filters)
    }

    fn row(name: &str, uid: i64, shell: Option<&str>) -> Row {
        vec![name.into(), uid.into(), 100.into(), Value::Null, Value::Null, shell.map(str::to_owned).into()]
    }

    #[test]
    fn conditions_hold_as_their_signs_say_and_null_is_only_itself() {
        let ann = row("ann", 1_000, Some("/bin/sh"));
        let null = Value::Null;
        for (column, test, value, expect) in [
            ("name", AskTest::Equal, "ann".into(), true),
            ("name", AskTest::NotEqual, "ann".into(), false),
            ("name", AskTest::Contains, "nn".into(), true),
            ("name", AskTest::StartsWith, "nn".into(), false),
            ("name", AskTest::StartsWith, "".into(), true),
            ("name", AskTest::Less, "b".into(), true),
            ("name", AskTest::Less, "Z".into(), false),
            ("uid", AskTest::Greater, 999.into(), true),
            ("uid", AskTest::Greater, 1_000.into(), false),
            ("uid", AskTest::GreaterOrEqual, 1_000.into(), true),
            ("uid", AskTest::LessOrEqual, 999.into(), false),
            ("uid", AskTest::NotEqual, null.clone(), true),
            ("comment", AskTest::Equal, null.clone(), true),
            ("comment", AskTest::NotEqual, null, false),
            ("comment", AskTest::NotEqual, "x".into(), true),
            ("comment", AskTest::Contains, "".into(), false),
            ("comment", AskTest::GreaterOrEqual, "".into(), false),
        ] {
            let value: Value = value;
            let sieve = users(&[], &[filter(column, test, value.clone())]).unwrap();
            assert_eq!(sieve.fits(&ann), expect, "{column} {} {value:?}", sign(test));
        }
        let both = [filter("uid", AskTest::Greater, 0), filter("shell", AskTest::Equal, "/bin/sh")];
        let sieve = users(&["shell", "name"], &both).unwrap();
        assert!(sieve.fits(&ann) && !sieve.fits(&row("root", 0, Some("/bin/sh"))) && !sieve.fits(&row("x", 1, None)));
        assert_eq!(sieve.told(&ann), ["/bin/sh".into(), "ann".into()]);
        assert_eq!(sieve.told(&ann[..2]), [Value::Null, "ann".into()], "a row of a host that knows fewer columns");
        assert_eq!(sieve.columns().map(|column| column.name).collect::<Vec<_>>(), ["shell", "name"]);
        assert!(sieve.needs("uid") && sieve.needs("name") && !sieve.needs("gid"));
        assert_eq!(users(&[], &[]).unwrap().columns().count(), 6);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_there_is() {
        let long = "x".repeat(100_000);
        let nine = vec![filter("uid", AskTest::Equal, 1); 9];
        for (columns, filters, told) in [
            (&["nme"][..], vec![], "table users has no column `nme`: it has name, uid, gid, comment, home, shell"),
            (&["name", "name"], vec![], "column `name` is asked for twice"),
            (&[], vec![filter("id", AskTest::Equal, 1)], "no column `id`"),
            (
                &[],
                vec![filter("uid", AskTest::Contains, "1")],
                "`contains` does not fit column `uid`, which holds numbers",
            ),
            (&[], vec![filter("uid", AskTest::Equal, "1")], "holds numbers, and the condition on it has a text: write"),
            (&[], vec![filter("name", AskTest::Equal, 1)], "holds texts, and the condition on it has a number"),
            (&[], vec![filter("uid", AskTest::Less, Value::Null)], "less or more than null"),
            (&[&long], vec![], "it has name"),
            (&[], vec![filter("name", AskTest::Equal, long.as_str())], "text of 100000 bytes"),
            (&[], nine, "there are 9 conditions: write at most 8"),
        ] {
            let error = users(columns, &filters).unwrap_err().to_string();
            assert!(error.contains(told) && error.len() < 300, "{error}");
        }
        let error = Sieve::of("porcesses", &[], &[]).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no table `porcesses` to ask: there are os,") && error.contains("logged_in")
        );
        for (test, sign_of) in SIGNS {
            assert_eq!(sign(test), sign_of);
        }
    }
}
