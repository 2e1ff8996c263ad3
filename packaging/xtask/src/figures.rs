//! `cargo xtask figures`: every figure that is promised, measured again, with goal, value, load, commit, pass or short.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bench::{self, Collector};
use crate::build;
use crate::process::{self, Kept};

/// One line of the table.
pub(crate) struct Row {
    figure: String,
    goal: String,
    value: String,
    load: String,
    /// `None`: reported, without a goal of its own.
    pass: Option<bool>,
}

impl Row {
    /// A line of the table. The commit stands in each, since rows are copied without their heading.
    pub(crate) fn line(&self, commit: &str) -> String {
        let verdict = match self.pass {
            Some(true) => "pass",
            Some(false) => "SHORT",
            None => "reported",
        };
        format!("| {} | {} | {} | {} | {commit} | {verdict} |", self.figure, self.goal, self.value, self.load)
    }
}

fn row(figure: &str, goal: &str, value: String, load: &str, pass: Option<bool>) -> Row {
    Row { figure: figure.to_owned(), goal: goal.to_owned(), value, load: load.to_owned(), pass }
}

/// Builds product and trial for release: separately, so that no switch of the tests reaches the product.
pub(crate) fn release_programs() -> Result<PathBuf> {
    build::programs(&["muster-tests"], true)?;
    build::programs(&build::PRODUCT, true)
}

/// `quick` shortens what only gains confidence by running longer (seeds, agent minutes); the table says so.
pub(crate) fn run(quick: bool) -> Result<()> {
    let programs = release_programs()?;
    let mut rows = Vec::new();
    // A failed measurement is a row, so that the others are still seen.
    let mut add = |name: &str, measured: Result<Vec<Row>>| match measured {
        Ok(measured) => rows.extend(measured),
        Err(error) => rows.push(row(name, "", format!("not measured: {error:#}"), "", Some(false))),
    };
    add("simulator", simulator_rows(&programs, if quick { 2_000 } else { 50_000 }));
    add("ingest", ingest_rows(&programs));
    add("kill", kill_rows(&programs));
    add("tail", tail_rows(&programs, quick));
    add("agent", agent_rows(&programs, Duration::from_secs(if quick { 60 } else { 600 })));
    add("binaries", binary_rows(&programs));
    add("demo", demo_rows());
    if !quick {
        add("test", test_rows());
    }
    let commit = build::commit();
    println!("\ncommit {commit}{}\n", if quick { " (quick run)" } else { "" });
    println!("| figure | goal | value | load | commit | verdict |\n|---|---|---|---|---|---|");
    for row in &rows {
        println!("{}", row.line(&commit));
    }
    let short = rows.iter().filter(|row| row.pass == Some(false)).count();
    println!("\n{} figures, {short} short", rows.len());
    if short == 0 { Ok(()) } else { bail!("{short} figures are short") }
}

fn simulator_rows(programs: &Path, seeds: u32) -> Result<Vec<Row>> {
    let values = bench::trial(programs, &["sim", "--seeds", &seeds.to_string()])?;
    let violations = *values.get("violations").context("no violations told")?;
    let planted = bench::trial(programs, &["planted", "--seeds", "200"])?;
    let (caught, of) = (planted["caught"], planted["of"]);
    let worst = planted.get("worst_seed").copied().unwrap_or(0.0);
    Ok(vec![
        row("simulator violations", "0", format!("{violations}"), &format!("{seeds} seeds"), Some(violations == 0.0)),
        row(
            "planted bugs caught",
            "each within 200 seeds",
            format!("{caught} of {of}, the latest at seed {worst}"),
            "up to 200 seeds each",
            Some(caught == of),
        ),
    ])
}

fn ingest_rows(programs: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, goal) in [("wire", 2.0), ("remote-write", 0.6)] {
        let done = bench::ingest(programs, name, 40)?;
        let rate = done.samples / done.cpu_seconds / 1e6;
        let load = format!("100 k series, {:.0} M samples, one scrape a batch, 200 hosts", done.samples / 1e6);
        let figure = format!("durable ingest by {name}, CPU until flushed");
        rows.push(row(
            &figure,
            &format!(">= {goal} M samples/CPU-s"),
            format!("{rate:.2} M"),
            &load,
            Some(rate >= goal),
        ));
        let bytes = format!("{:.2} B", done.disk_bytes / done.samples);
        rows.push(row(&format!("bytes a sample in segments, by {name}"), "", bytes, &load, None));
        let wire = format!("{:.2} B a sample", done.wire_bytes / done.samples);
        rows.push(row(&format!("bytes on the wire by {name}"), "", wire, &load, None));
        rows.push(row(&format!("collector peak memory, {name}"), "", format!("{:.0} MiB", done.peak_mib), &load, None));
    }
    Ok(rows)
}

fn kill_rows(programs: &Path) -> Result<Vec<Row>> {
    let product = programs.to_string_lossy().into_owned();
    let mut rows = Vec::new();
    for (name, figure) in [
        ("kill-points", "kill -9 of the collector at 20 syscall points"),
        ("kill-moments", "kill -9 of both ends at 20 random moments"),
    ] {
        let values = bench::trial(programs, &[name, "--programs", &product, "--count", "20"])?;
        let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
        let clean = get("lost") == 0.0 && get("doubled") == 0.0 && get("answers_changed") == 0.0;
        let value = format!(
            "lost {}, doubled {}, answers changed {}, slowest return {:.2} s, {} hits",
            get("lost"),
            get("doubled"),
            get("answers_changed"),
            get("slowest_return_s"),
            get("hits")
        );
        let pass = clean && get("slowest_return_s") <= 10.0 && get("hits") >= 20.0;
        let load = format!("{} samples", get("samples"));
        rows.push(row(figure, "0 lost, 0 doubled, same answers, back in <= 10 s", value, &load, Some(pass)));
    }
    Ok(rows)
}

/// Every case of the tail trial, kills under load, and what tailing costs.
fn tail_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let product = programs.to_string_lossy().into_owned();
    let mut rows = Vec::new();
    let words = ["tail", "--programs", &product];
    let values = bench::trial(programs, &words)?;
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    rows.push(row(
        "cases of the tail trial",
        "lost 0, doubled 0, reordered 0, damaged 0; raw copytruncate and recreate <= 0.1 % lost",
        format!("{} of {} kept", get("cases") - get("failed"), get("cases")),
        &format!("{:.0} MB of numbered lines", get("bytes") / 1e6),
        Some(get("failed") == 0.0),
    ));
    let backlog = bench::trial(programs, &["tail", "--programs", &product, "backlog"])?;
    let (bytes, agent) = (backlog["bytes"], backlog["agent_cpu_s"]);
    let per_gb = agent / (bytes / 1e9);
    let load = format!("{:.0} MB of 256-byte lines there at the start, acknowledged", bytes / 1e6);
    rows.push(row("tailing, agent CPU", "<= 10 CPU-s a GB", format!("{per_gb:.1}"), &load, Some(per_gb <= 10.0)));
    let intake = bytes / 1e6 / backlog["collector_cpu_s"];
    rows.push(row("lines taken, collector CPU", "", format!("{intake:.0} MB/CPU-s"), &load, None));
    let many = bench::trial(programs, &["tail", "--programs", &product, "many"])?;
    let peak = format!("{:.1} MiB", many["agent_peak_mib"]);
    rows.push(row("agent peak memory with 2,000 files", "", peak, "20,000 lines/s over 2,000 files", None));
    let count = if quick { "20" } else { "100" };
    for (figure, wipe) in [("kills of either end under lines", false), ("the same, state folder deleted", true)] {
        let mut words = vec!["tail-kills", "--programs", &product, "--count", count];
        words.extend(wipe.then_some("--wipe"));
        let values = bench::trial(programs, &words)?;
        let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
        let value = format!("lost {}, doubled {}, of {}", get("lost"), get("doubled"), get("written"));
        let kept = get("lost") == 0.0 && get("doubled") == 0.0 && get("reordered") == 0.0;
        let load = format!("{count} kills, 10,000 lines/s, a rotation each second");
        rows.push(row(figure, "lost 0, doubled 0", value, &load, Some(kept)));
    }
    Ok(rows)
}

/// The agent's own cost at its default interval of 10 s, connected to a collector, over `span`.
pub(crate) fn agent_rows(programs: &Path, span: Duration) -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("muster-agent-cost-").tempdir()?;
    let mut collector = Collector::start(programs, folder.path())?;
    let muster = |words: &[&str]| {
        let mut command = Command::new(programs.join("muster"));
        command.args(["--url", &format!("http://{}", collector.http), "--token", &collector.token]).args(words);
        process::output(&mut command)
    };
    let word = muster(&["token", "new", "--name", "cost"])?.lines().last().unwrap_or_default().to_owned();
    let state = folder.path().join("agent").to_string_lossy().into_owned();
    let mut enrol = Command::new(programs.join("muster-agent"));
    enrol.args(["enrol", "--collector", &collector.agents, "--token", &word, "--name", "cost", "--state", &state]);
    process::output(&mut enrol)?;
    let mut run = Command::new(programs.join("muster-agent"));
    run.args(["run", "--state", &state]);
    let mut agent = Kept::start(&mut run)?;
    // The first cycles open descriptors and send contexts: not counted.
    std::thread::sleep(Duration::from_secs(25));
    let strace = Strace::attach(agent.id(), &folder.path().join("calls"))?;
    let traced = Duration::from_secs(30);
    std::thread::sleep(traced);
    let calls = strace.stop()?;
    // CPU is counted in a span of its own: tracing costs the traced process time.
    let traced_cpu = process::cpu_seconds(agent.id())?;
    std::thread::sleep(span);
    let used = process::cpu_seconds(agent.id())? - traced_cpu;
    let hour = used * 3600.0 / span.as_secs_f64();
    let peak = process::status_kib(agent.id(), "VmHWM")? as f64 / 1024.0;
    let fds = std::fs::read_dir(format!("/proc/{}/fd", agent.id()))?.count();
    let series = muster(&["-o", "csv", "query", "count({host=\"cost\"})"])?;
    let series: f64 = series.trim().rsplit([',', '\n']).next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let wire = muster(&["-o", "csv", "query", "rate(muster_agent_sent_bytes_total{host=\"cost\"}[1m]) * 10"])?;
    let wire: f64 = wire.trim().rsplit([',', '\n']).next().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    agent.stop()?;
    collector.kept.stop()?;
    let load = format!("10 s interval, {series:.0} series, sending included, {} s", span.as_secs());
    let a_cycle = calls / (traced.as_secs_f64() / 10.0);
    Ok(vec![
        row("agent peak memory", "<= 14 MiB", format!("{peak:.1} MiB"), &load, Some(peak <= 14.0)),
        row("agent CPU an hour", "<= 1.2 s", format!("{hour:.2} s"), &load, Some(hour <= 1.2)),
        row("agent system calls a cycle", "<= 120", format!("{a_cycle:.0}"), &load, Some(a_cycle <= 120.0)),
        row("agent descriptors", "<= 60", format!("{fds}"), &load, Some(fds <= 60)),
        row("agent series", ">= 480", format!("{series:.0}"), &load, Some(series >= 480.0)),
        row("wire bytes a scrape", "", format!("{wire:.0} B"), &load, None),
    ])
}

/// strace counting another process' system calls.
struct Strace {
    kept: Kept,
    file: PathBuf,
}

impl Strace {
    fn attach(id: u32, file: &Path) -> Result<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-p", &id.to_string(), "-o"]).arg(file);
        Ok(Self { kept: Kept::start(&mut command)?, file: file.to_path_buf() })
    }

    /// All calls since the start.
    fn stop(self) -> Result<f64> {
        process::signal(self.kept.id(), "INT")?;
        // strace ends by the signal, which it gives as its own end.
        std::thread::sleep(Duration::from_millis(500));
        let text = std::fs::read_to_string(&self.file).context("strace wrote no table")?;
        let total = text.lines().rev().find(|line| line.trim_end().ends_with("total"));
        let words: Vec<&str> = total.context("strace's table has no total")?.split_whitespace().collect();
        // `100.00 seconds usecs/call calls [errors] total`
        words.get(3).and_then(|word| word.parse().ok()).context("strace's total has no calls")
    }
}

fn binary_rows(programs: &Path) -> Result<Vec<Row>> {
    let size = |name: &str| std::fs::metadata(programs.join(name)).map(|data| data.len() as f64 / 1e6);
    let agent = size("muster-agent")?;
    let others = format!("{:.1} MB and {:.1} MB", size("muster-collector")?, size("muster")?);
    Ok(vec![
        row("agent binary, stripped", "<= 8 MB", format!("{agent:.1} MB"), "release build", Some(agent <= 8.0)),
        row("collector and muster binaries", "", others, "release build", None),
    ])
}

fn demo_rows() -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("muster-clone-").tempdir()?;
    let clone = folder.path().join("muster");
    process::run(Command::new("git").args(["clone", "--quiet"]).arg(build::root()).arg(&clone))?;
    let status = Command::new("cargo")
        .args(["xtask", "demo", "--once"])
        .current_dir(&clone)
        .env_remove("CARGO_TARGET_DIR")
        .status()?;
    let value = format!("exit {}", status.code().unwrap_or(-1));
    Ok(vec![row(
        "`demo --once` on a fresh clone",
        "exit 0",
        value,
        "clean clone, cold target folder",
        Some(status.success()),
    )])
}

/// `test` on a fresh clone, with a cold target folder and again with a warm one.
fn test_rows() -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("muster-clone-").tempdir()?;
    let clone = folder.path().join("muster");
    process::run(Command::new("git").args(["clone", "--quiet"]).arg(build::root()).arg(&clone))?;
    let mut rows = Vec::new();
    for (figure, minutes) in [("`test`, cold", 20.0), ("`test`, warm", 5.0)] {
        #[expect(clippy::disallowed_methods, reason = "a command that tells how long it took; nothing decides by it")]
        let start = std::time::Instant::now();
        let mut command = Command::new("cargo");
        let status = command.args(["xtask", "test"]).current_dir(&clone).env_remove("CARGO_TARGET_DIR").status()?;
        let took = start.elapsed().as_secs_f64() / 60.0;
        let value = format!("{took:.1} min, exit {}", status.code().unwrap_or(-1));
        let pass = status.success() && took <= minutes;
        rows.push(row(figure, &format!("<= {minutes} min"), value, "clean clone", Some(pass)));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_commit_and_verdict() {
        let line = |pass| row("size", "<= 8 MB", "7 MB".to_owned(), "release", pass).line("abc123");
        assert_eq!(line(Some(true)), "| size | <= 8 MB | 7 MB | release | abc123 | pass |");
        assert!(line(Some(false)).ends_with("| abc123 | SHORT |") && line(None).ends_with("| abc123 | reported |"));
    }
}
