//! What changed, and what is set up by it: how soon it is known, whether answers are true, what it costs.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench::{self, Values};

/// Words of a trial, and its rows.
type Part = (Vec<&'static str>, fn(&Values) -> Vec<Row>);

/// The figures of inventories, changes and configurations, by the words of `muster-trial inventory`.
pub(super) fn change_rows(programs: &Path, quick: bool) -> Vec<Row> {
    let product = programs.to_string_lossy();
    let pick = |short: &'static str, whole: &'static str| if quick { short } else { whole };
    let parts: [Part; 6] = [
        (vec!["visible", "--rounds", pick("2", "5")], |values| visible_rows(values).into()),
        (vec!["history", "--looks", pick("1000", "3000")], |values| vec![history_row(values)]),
        (vec!["size", "--hosts", pick("1000", "10000")], |values| size_rows(values).into()),
        (vec!["suspects", "--sets", pick("10", "100"), "--groups", pick("100", "1000")], |values| {
            suspect_rows(values).into()
        }),
        (vec!["cost", "--seconds", pick("120", "900")], |values| cost_rows(values).into()),
        (vec!["reverted", "--hosts", "100"], |values| reverted_rows(values).into()),
    ];
    let measured = parts.into_iter().map(|(mut words, rows)| {
        let name = words[0];
        // Real programs take part in these two.
        if ["visible", "cost"].contains(&name) {
            words.extend(["--programs", &product]);
        }
        words.insert(0, "inventory");
        rows_of(&format!("inventory {name}"), bench::trial(programs, &words), rows)
    });
    measured.flatten().collect()
}

/// The rows of a trial. One that failed is a row, so that the others are still seen.
pub(super) fn rows_of(name: &str, values: Result<Values>, rows: impl FnOnce(&Values) -> Vec<Row>) -> Vec<Row> {
    match values {
        Ok(values) => rows(&values),
        Err(error) => vec![row(name, "", format!("not measured: {error:#}"), "", Some(false))],
    }
}

/// A value that the trial did not tell passes no goal.
fn get(values: &Values, key: &str) -> f64 {
    values.get(key).copied().unwrap_or(f64::NAN)
}

fn seconds(values: &Values, key: &str) -> f64 {
    get(values, key) / 1_000.0
}

fn visible_rows(values: &Values) -> [Row; 3] {
    let load =
        format!("{} rounds spread over the minute between looks; agent, collector and API", get(values, "rounds"));
    let [file, port] = ["file", "port"].map(|what| {
        let (median, worst) = (seconds(values, &format!("{what}_ms")), seconds(values, &format!("{what}_worst_ms")));
        (format!("median {median:.1} s, worst {worst:.1} s"), worst)
    });
    let edits = format!("{} edits, one every 2 s, and a last one", get(values, "edits"));
    let last = seconds(values, "last_edit_ms");
    [
        row("edited file visible as a change", "<= 60 s", file.0, &load, Some(file.1 <= 60.0)),
        row("last of many edits visible as a change", "<= 60 s", format!("{last:.1} s"), &edits, Some(last <= 60.0)),
        row("new listening port proposed by discovery", "<= 60 s", port.0, &load, Some(port.1 <= 60.0)),
    ]
}

fn history_row(values: &Values) -> Row {
    let [differing, compared] = ["differing", "compared"].map(|key| get(values, key));
    let load = format!(
        "{} looks of {} hosts with {} changes by chance, {} lost on the way, {} restarts; {} random moments, and the log",
        get(values, "looks"),
        get(values, "hosts"),
        get(values, "changes"),
        get(values, "lost"),
        get(values, "restarts"),
        get(values, "moments")
    );
    let value = format!("{differing} of {compared} answers differ from the model");
    row("as-of queries against a scripted history", "exact", value, &load, Some(differing == 0.0 && compared > 0.0))
}

fn size_rows(values: &Values) -> [Row; 4] {
    let hosts = get(values, "hosts");
    let load = format!("{hosts} hosts with 600 packages of 5 images, {} rows", get(values, "rows"));
    let (refresh, table) = (get(values, "refresh_bytes"), get(values, "table_bytes"));
    let memory = get(values, "memory_bytes");
    let opened = format!("{:.0} MB resident, opened in {:.1} s", memory / 1e6, seconds(values, "open_ms"));
    let (disk, bare) = (get(values, "disk_bytes"), get(values, "bare_disk_bytes"));
    let on_disk = format!("{:.0} MB, of which {:.0} MB are the registry", disk / 1e6, bare / 1e6);
    let frame = "one frame that says of all tables that they are as before";
    [
        row(
            "inventory: unchanged refresh of a host",
            "<= 1 kB",
            format!("{refresh} B"),
            frame,
            Some(refresh <= 1_000.0),
        ),
        row("inventory: 600 packages told whole", "", format!("{:.1} kB", table / 1e3), "one frame, once a host", None),
        row("inventory: memory of a process with the fleet alone", "reported", opened, &load, None),
        row("inventory: state.redb", "reported", on_disk, &load, None),
    ]
}

fn suspect_rows(values: &Values) -> [Row; 3] {
    let [faults, found, sets, enough, worst] =
        ["faults", "found", "sets", "sets_enough", "worst_set"].map(|key| get(values, key));
    let [groups, first, nothing] = ["groups", "planted_first", "nothing"].map(|key| get(values, key));
    let of_sets =
        format!("{:.0} %; {enough} of {sets} sets of 30 reach it, the worst has {worst} of 30", 100.0 * found / faults);
    let faults_load = format!("{faults} made-up faults, {} decoys each", get(values, "decoys"));
    let load = format!("{groups} made-up groups of 40 hosts");
    let share = |count: f64| format!("{count} of {groups}");
    [
        row(
            "true change among the first 3 suspects",
            ">= 80 %",
            of_sets,
            &faults_load,
            Some(found >= 0.8 * faults && faults > 0.0),
        ),
        row("planted separator first", "all", share(first), &load, Some(first == groups)),
        row(
            "nothing planted: nothing found",
            ">= 95 %",
            share(nothing),
            &load,
            Some(nothing >= 0.95 * groups && groups > 0.0),
        ),
    ]
}

fn cost_rows(values: &Values) -> [Row; 2] {
    let (hour, counted) = (get(values, "hour_cpu_s"), get(values, "counted_hour_cpu_s"));
    let load = format!(
        "{} s, {} looks; an agent with the default intervals less one without inventory, sending included",
        get(values, "seconds"),
        get(values, "looks")
    );
    let count = "each table looked at again, times its looks an hour: `muster-agent inventory --cost`";
    let value = |hour: f64| format!("{hour:.2}");
    [
        row("inventory, agent CPU", "<= 2 CPU-s an hour", value(hour), &load, Some(hour <= 2.0)),
        row("inventory, looks alone", "<= 2 CPU-s an hour", value(counted), count, Some(counted <= 2.0)),
    ]
}

fn reverted_rows(values: &Values) -> [Row; 2] {
    let hosts = get(values, "hosts");
    let load = format!("{hosts} simulated hosts of a real fleet, three waves");
    [("refused", "refuses the document"), ("reverted", "runs the document and goes back")].map(|(word, about)| {
        let [good, failed, new, back] =
            ["good", "failed", "new", "set_back"].map(|key| get(values, &format!("{word}_{key}")));
        let is_alone = failed == 1.0 && back == 1.0 && good == hosts - 1.0 && new == good;
        let value = format!("{back} set back, {new} have the new one");
        row(&format!("configuration: 1 host of {hosts} {about}"), "it alone is set back", value, &load, Some(is_alone))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(words: &str) -> Values {
        let pairs = words.split(' ').filter_map(|word| word.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_is_late_wrong_or_not_told_is_short() {
        let late = visible_rows(&values("rounds=2 file_worst_ms=60000 port_worst_ms=60001 last_edit_ms=1"));
        assert_eq!(late.each_ref().map(Row::is_short), [false, false, true]);
        let history = |words: &str| history_row(&values(words)).is_short();
        assert!(history("differing=1 compared=9") && history("compared=9") && !history("differing=0 compared=9"));
        let set_back = "hosts=100 refused_good=99 refused_failed=1 refused_new=99 refused_set_back=1";
        assert_eq!(reverted_rows(&values(set_back)).each_ref().map(Row::is_short), [false, true]);
        assert!(
            cost_rows(&values("hour_cpu_s=2.1 counted_hour_cpu_s=2")).each_ref().map(Row::is_short) == [true, false]
        );
        let shares = "faults=30 found=24 groups=100 planted_first=100 nothing=94";
        assert_eq!(suspect_rows(&values(shares)).each_ref().map(Row::is_short), [false, false, true]);
        let failed = rows_of("visible", Err(anyhow::anyhow!("no port is free")), |_| Vec::new());
        assert!(failed.len() == 1 && failed[0].is_short());
        assert_eq!(size_rows(&values("refresh_bytes=1001")).each_ref().map(Row::is_short), [true, false, false, false]);
    }
}
