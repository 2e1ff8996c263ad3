//! What questions over the inventories of many hosts cost.

use std::sync::Arc;

use anyhow::{Result, bail};
use muster_common::inventory::{Row, Value, named};
use muster_common::time;
use muster_sql::{Database, Field, Limits, Relation, Shared};

/// Packages of a host, and different ones in the fleet: three versions of a thousand names.
const PACKAGES: u32 = 600;
const DIFFERENT: u32 = 3_000;

/// What people ask, by a word for it.
const QUESTIONS: [(&str, &str); 7] = [
    ("find", "SELECT host, version FROM packages WHERE name = 'package-7' AND version <> '1.0-21'"),
    ("older", "SELECT host FROM packages WHERE name = 'package-7' AND version_compare(version, '1.1') < 0"),
    ("versions", "SELECT version, count(*) FROM packages WHERE name = 'package-7' GROUP BY version"),
    ("counted", "SELECT name, version, hosts FROM packages_counted WHERE name LIKE 'package-1%' ORDER BY hosts"),
    ("count", "SELECT count(*) FROM packages"),
    ("by_host", "SELECT host, count(*) FROM packages GROUP BY host ORDER BY 2 DESC LIMIT 10"),
    ("by_name", "SELECT name, count(*) FROM packages GROUP BY name"),
];

/// Processor time of each question over so many hosts, ms: `key=value` words.
///
/// # Errors
/// When a question has no answer, or an empty one.
pub fn trial(hosts: u32) -> Result<String> {
    let Some(table) = named("packages") else { bail!("there is no table of packages") };
    let mut random = fastrand::Rng::with_seed(1);
    let package = |number: u32| -> Row {
        let version = format!("1.{}-{number}", number % 3);
        vec![
            "dpkg".into(),
            format!("package-{}", number / 3).into(),
            "amd64".into(),
            version.into(),
            Value::Null,
            "installed".into(),
        ]
    };
    let rows = (0..DIFFERENT).map(|number| Arc::new(package(number))).collect();
    // One package of twenty is a version behind.
    let own = (0..hosts).map(|host| {
        let numbers: Arc<[u32]> = (0..PACKAGES).map(|at| at * 3 + u32::from(random.u8(0..20) == 0)).collect();
        (Arc::from(format!("node-{host:05}")), numbers)
    });
    let fields = table.columns.iter().map(|column| Field::new(column.name, column.kind)).collect();
    let shared = Arc::new(Shared::new(fields, rows, own.collect()));
    let mut database = Database::default();
    database.add("packages", Relation::Shared(Arc::clone(&shared)));
    database.add("packages_counted", Relation::Counted(shared));
    let mut words = vec![format!("hosts={hosts}")];
    for (name, question) in QUESTIONS {
        let before = time::thread_cpu();
        let answer = database.ask(question, &Limits::default())?;
        let cost = time::thread_cpu().saturating_sub(before);
        if answer.rows.is_empty() {
            bail!("{question}: an empty answer");
        }
        words.push(format!("{name}_ms={:.1}", cost.as_secs_f64() * 1e3));
    }
    Ok(words.join(" "))
}
