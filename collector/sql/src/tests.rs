use std::sync::Arc;
use std::time::Duration;

use muster_common::inventory::{Row, Value};

use crate::{Answer, Cell, Database, Field, Kind, Limits, Relation, Shared, SqlError};

fn package(name: &str, version: &str, size: Option<i64>) -> Row {
    vec![name.into(), version.into(), size.into()]
}

fn fields() -> Vec<Field> {
    vec![Field::new("name", Kind::Text), Field::new("version", Kind::Text), Field::new("size", Kind::Integer)]
}

/// Three hosts: all have bash, db1 and web1 an older openssl, web2 a newer one. The last row is of none.
fn database() -> Database {
    let rows = [
        package("bash", "5.2", Some(7)),
        package("openssl", "3.0.2-1", Some(5)),
        package("openssl", "3.0.11-1", None),
        package("gone", "1", Some(1)),
    ];
    let hosts = [("db1", vec![0, 1]), ("web1", vec![0, 1]), ("web2", vec![0, 2])];
    let hosts = hosts.map(|(host, rows)| (Arc::from(host), rows.into()));
    let shared = Arc::new(Shared::new(fields(), rows.map(Arc::new).into(), hosts.into()));
    let mut database = Database::default();
    database.add("packages", Relation::Shared(Arc::clone(&shared)));
    database.add("packages_counted", Relation::Counted(shared));
    let fields = vec![Field::new("name", Kind::Text), Field::new("state", Kind::Text)];
    let rows = vec![vec!["db1".into(), "up".into()], vec!["web1".into(), "silent".into()], vec!["web2".into()]];
    database.add("hosts", Relation::Plain { fields, rows: Arc::new(rows) });
    database
}

/// An answer as lines of values, parted by bars.
fn lines(answer: &Answer) -> Vec<String> {
    let cell = |cell: &Cell| match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bytes(bytes) => format!("{bytes:?}"),
    };
    answer.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect()
}

#[track_caller]
fn asked(sql: &str) -> Vec<String> {
    lines(&database().ask(sql, &Limits::default()).unwrap())
}

fn refused(sql: &str) -> SqlError {
    database().ask(sql, &Limits::default()).unwrap_err()
}

#[test]
fn questions_are_answered_over_hosts_and_their_rows() {
    let answer = database().ask("SELECT * FROM packages", &Limits::default()).unwrap();
    assert_eq!(answer.columns, ["host", "name", "version", "size"]);
    assert_eq!((answer.rows.len(), answer.is_cut), (6, false));
    for (sql, expect) in [
        ("SELECT host FROM packages WHERE name = 'openssl' AND version = '3.0.2-1'", vec!["db1", "web1"]),
        (
            "SELECT host FROM packages WHERE name = 'openssl' AND version_compare(version, '3.0.11-1') < 0",
            vec!["db1", "web1"],
        ),
        (
            "SELECT hosts, version FROM packages_counted WHERE name = 'openssl' ORDER BY hosts",
            vec!["1|3.0.11-1", "2|3.0.2-1"],
        ),
        ("SELECT count(*) FROM packages_counted", vec!["3"]),
        ("SELECT name FROM packages_counted WHERE hosts >= 3", vec!["bash"]),
        (
            "SELECT h.name, p.version FROM hosts h JOIN packages p ON p.host = h.name WHERE h.state IS NULL AND p.name LIKE 'OPEN%'",
            vec!["web2|3.0.11-1"],
        ),
        ("SELECT host FROM packages WHERE name IN ('openssl', 'bash') AND size IS NULL", vec!["web2"]),
        ("SELECT version FROM packages WHERE host = 'web2' AND name GLOB '*[s]h'", vec!["5.2"]),
        ("SELECT DISTINCT name FROM packages WHERE name REGEXP '^b.*h$'", vec!["bash"]),
        (
            "SELECT name FROM hosts WHERE name NOT IN (SELECT host FROM packages WHERE version = '3.0.11-1') ORDER BY name",
            vec!["db1", "web1"],
        ),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT sum(i), 1.5, x'00ff' FROM n",
            vec!["10|1.5|[0, 255]"],
        ),
        // A number is compared with a text as SQLite does it, whoever judges first.
        ("SELECT count(*) FROM packages WHERE size = '7'", vec!["3"]),
        ("SELECT count(*) FROM packages WHERE version = 5.2", vec!["3"]),
        ("SELECT count(*) FROM packages WHERE name = 'BASH' COLLATE NOCASE", vec!["3"]),
        ("SELECT count(*) FROM packages WHERE size > 5 AND size <= 7", vec!["3"]),
        ("SELECT count(*) FROM packages WHERE size = NULL", vec!["0"]),
        ("SELECT name FROM packages LIMIT 1 -- and a remark", vec!["bash"]),
    ] {
        assert_eq!(asked(sql), expect, "{sql}");
    }
}

#[test]
fn nothing_but_reading_is_let_through() {
    for sql in [
        "DELETE FROM packages",
        "INSERT INTO hosts VALUES ('x', 'y')",
        "UPDATE hosts SET state = 'up'",
        "CREATE TABLE t(a)",
        "CREATE TEMP TABLE t AS SELECT * FROM hosts",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE hosts",
        "ATTACH DATABASE '/etc/passwd' AS p",
        "ATTACH DATABASE ':memory:' AS p",
        "VACUUM INTO '/tmp/copy'",
        "PRAGMA hard_heap_limit = 0",
        "PRAGMA table_info(hosts)",
        "SELECT * FROM pragma_database_list",
        "BEGIN",
        "SAVEPOINT s",
        "REINDEX",
        "ANALYZE",
        "EXPLAIN DELETE FROM hosts",
    ] {
        assert_eq!(refused(sql), SqlError::Forbidden, "{sql}");
    }
    // Without the right to load anything the function is not there, or forbidden: never run.
    assert!(matches!(refused("SELECT load_extension('/tmp/x.so')"), SqlError::Forbidden | SqlError::Syntax { .. }));
    assert_eq!(refused("SELECT 1; SELECT 2"), SqlError::Several);
    for nothing in ["", "-- nothing"] {
        assert_eq!(refused(nothing).to_string(), "SQLite cannot answer: SQL is empty or comment only");
    }
}

#[test]
fn mistakes_are_told_with_what_there_is() {
    let SqlError::Syntax { problem, at } = refused("SELECT name FRM packages") else { panic!("no syntax error") };
    assert!(problem.contains("near \"packages\"") && at == Some(16), "{problem} {at:?}");
    let told = refused("SELECT * FROM pakages").to_string();
    assert_eq!(told, "no such table: pakages: the tables are hosts, packages, packages_counted");
    let told = refused("SELECT nam FROM packages").to_string();
    assert!(told.contains("no such column: nam") && told.contains("packages has host, name, version, size"), "{told}");
    assert!(refused("SELECT name FROM packages WHERE name REGEXP '('").to_string().contains("regex parse error"));
    assert!(matches!(
        refused(&format!("SELECT '{}'", "x".repeat(70_000))),
        SqlError::Failed { .. } | SqlError::Syntax { .. }
    ));
}

#[test]
fn a_question_that_never_ends_is_stopped_and_so_is_one_that_takes_all_memory() {
    let limits = Limits { time: Duration::from_millis(200), ..Limits::default() };
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    assert_eq!(database().ask(endless, &limits).unwrap_err(), SqlError::Time { seconds: 0 });
    let large = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
        SELECT count(*) FROM (SELECT i, hex(zeroblob(500)) AS b FROM n ORDER BY b, i LIMIT 2900000)";
    let limits = Limits { time: Duration::from_secs(60), mib: 64, ..Limits::default() };
    assert_eq!(database().ask(large, &limits).unwrap_err(), SqlError::Memory { mib: 64 });
    assert!(matches!(refused("SELECT zeroblob(2000000)"), SqlError::Failed { .. }));
    // The next question is answered.
    assert_eq!(asked("SELECT count(*) FROM hosts"), ["3"]);
}

#[test]
fn answers_are_cut_at_their_limits_and_say_so() {
    let ask = |limits: &Limits| {
        let answer = database().ask("SELECT name, state FROM hosts", limits).unwrap();
        (answer.rows.len(), answer.is_cut)
    };
    assert_eq!(ask(&Limits { rows: 3, ..Limits::default() }), (3, false));
    assert_eq!(ask(&Limits { rows: 2, ..Limits::default() }), (2, true));
    assert_eq!(ask(&Limits { bytes: 4, ..Limits::default() }), (1, true));
}

/// Every comparison gives the same with and without what leaves out rows before SQLite sees them: `+name` is no column to SQLite.
#[test]
fn what_is_left_out_early_changes_no_answer() {
    let mut random = fastrand::Rng::with_seed(5);
    let words = ["", "a", "A", "ab", "aB", "b%", "a_", "\u{e9}", "7", "07", "7.0"];
    let rows: Vec<Arc<Row>> = (0..60)
        .map(|_| {
            let text = |random: &mut fastrand::Rng| match random.u8(0..6) {
                0 => Value::Null,
                _ => words[random.usize(0..words.len())].into(),
            };
            let size = (random.u8(0..6) > 0).then(|| random.i64(-2..9));
            Arc::new(vec![text(&mut random), text(&mut random), size.into()])
        })
        .collect();
    let hosts: Vec<(Arc<str>, Arc<[u32]>)> = (0..7)
        .map(|host| (Arc::from(words[host]), (0..random.u32(0..40)).map(|_| random.u32(0..70)).collect()))
        .collect();
    let shared = Arc::new(Shared::new(fields(), rows.clone(), hosts));
    let mut database = Database::default();
    database.add("s", Relation::Shared(Arc::clone(&shared)));
    database.add("c", Relation::Counted(shared));
    let fields = [vec![Field::new("host", Kind::Text)], fields()].concat();
    let plain = rows.iter().map(|row| [vec!["a".into()], row.to_vec()].concat()).collect();
    database.add("p", Relation::Plain { fields, rows: Arc::new(plain) });
    let operators = ["=", "<", "<=", ">", ">=", "LIKE", "GLOB", "IS", "IS NOT", "<>"];
    let mut found = 0;
    for turn in 0..1_500 {
        let table = ["s", "c", "p"][turn % 3];
        let first = if table == "c" { "hosts" } else { "host" };
        let mut parts = [Vec::new(), Vec::new()];
        for _ in 0..random.usize(1..4) {
            let column = ["name", "version", "size", first][random.usize(0..4)];
            let with = match random.u8(0..5) {
                0 => "NULL".to_owned(),
                1 => random.i64(-2..9).to_string(),
                2 => "7.0".to_owned(),
                _ => format!("'{}'", words[random.usize(0..words.len())]),
            };
            let operator = operators[random.usize(0..operators.len())];
            let collate =
                if random.u8(0..8) == 0 && operator != "LIKE" && operator != "GLOB" { " COLLATE NOCASE" } else { "" };
            parts[0].push(format!("{column} {operator} {with}{collate}"));
            // The cast keeps how the column compares, which a plus alone would take from it.
            let kind = if column == "size" || column == "hosts" { "INTEGER" } else { "TEXT" };
            parts[1].push(format!("CAST(+{column} AS {kind}) {operator} {with}{collate}"));
        }
        let names = ["name", "version", "size", first];
        let terms: Vec<(&str, &str)> = (0..random.usize(0..3))
            .map(|_| (names[random.usize(0..4)], ["", " DESC", " COLLATE NOCASE"][random.usize(0..3)]))
            .collect();
        // What is only ordered by comes first in each line.
        let keys: String = terms.iter().map(|(name, _)| format!("{name}, ")).collect();
        let ask = |parts: &[String], plus: &str| {
            let terms: Vec<String> = terms.iter().map(|(name, direction)| format!("{plus}{name}{direction}")).collect();
            let order = if terms.is_empty() { String::new() } else { format!(" ORDER BY {}", terms.join(", ")) };
            let sql =
                format!("SELECT {keys}{first}, name, version, size FROM {table} WHERE {}{order}", parts.join(" AND "));
            lines(&database.ask(&sql, &Limits::default()).unwrap_or_else(|error| panic!("{sql}: {error}")))
        };
        let (mut early, mut late) = (ask(&parts[0], ""), ask(&parts[1], "+"));
        let of_order = |line: &String| line.split('|').take(terms.len()).collect::<Vec<_>>().join("|");
        let nocase = |lines: &[String]| lines.iter().map(|line| of_order(line).to_lowercase()).collect::<Vec<_>>();
        assert_eq!(nocase(&early), nocase(&late), "{parts:?} {terms:?}");
        // Rows that are equal in their order may come in any.
        early.sort();
        late.sort();
        assert_eq!(early, late, "{parts:?}");
        found += usize::from(!early.is_empty());
    }
    assert!(found > 300, "{found} questions of 1,500 found anything");
}
