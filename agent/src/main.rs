//! `muster-agent`: arguments, exit codes, and which part does what. 0: well, 1: a problem, 2: wrong usage or configuration.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use muster_agent::arguments::{
    Arguments, BundleArguments, CheckCommand, CheckRunArguments, Command, Common, DoctorArguments, DoctorOutput,
    EnrolArguments, ExecArguments, ExecCheckArguments, ImportArguments, InventoryArguments, Output, PushArguments,
    RemoteCheckArguments, RemoteCommand, RemoteShowArguments, StatusArguments,
};
use muster_agent::checks::exec_check::{self, ExecLimits};
use muster_agent::checks::import::import;
use muster_agent::config::{self, Config, ConfigErrors};
use muster_agent::doctor::{self, DoctorOptions, Scene};
use muster_agent::enrol::{self, EnrolOptions};
use muster_agent::handed::exec::{self, ExecOptions};
use muster_agent::handed::give;
use muster_agent::handed::push::{self, PushOptions};
use muster_agent::inventory::show::{self, Asked};
use muster_agent::sampler::{Moment, Sampler};
use muster_agent::status::Status;
use muster_agent::{agent, bundle, checks, collect, facts, remote};
use muster_common::disk::real::RealDisk;
use muster_common::finding::{self, Level};
use muster_common::identity::TokenWord;
use muster_common::time;
use muster_common::wire::message::Report;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The largest token file that makes sense: one word.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// What is read of a result's text: its first line and its further lines may each have half of it.
const PUSH_OUTPUT_BYTES_MAX: u64 = 128 << 10;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors to clap, to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match carry_out(arguments) {
        Ok(code) => code,
        Err(error) => {
            let usage = error.is::<ConfigErrors>() || error.is::<Usage>();
            let _ = writeln!(std::io::stderr(), "muster-agent: {error:#}");
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

/// A mistake in how the command was called.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn carry_out(arguments: Arguments) -> Result<ExitCode> {
    if let Command::ExecCheck(exec) = &arguments.command {
        // Each run of a plugin comes by here: nothing before it that takes time.
        return Ok(exec_plugin(exec));
    }
    start_log(&arguments.log)?;
    match arguments.command {
        Command::ExecCheck(exec) => Ok(exec_plugin(&exec)),
        Command::Check(CheckCommand::Run(run)) => run_check(&run),
        Command::Check(CheckCommand::Import(asked)) => import_checks(&asked),
        Command::Remote(RemoteCommand::Show(asked)) => show_remote(&asked),
        Command::Remote(RemoteCommand::Check(asked)) => check_remote(&asked),
        Command::Doctor(asked) => examine(asked),
        Command::Bundle(asked) => write_bundle(asked),
        Command::Enrol(enrol) => enrol_host(&enrol),
        Command::Run(common) => {
            let config = load(&common)?;
            runtime()?.block_on(async {
                let stop = agent::signals(&config.agent.state_dir).context("no signal can be caught")?;
                agent::run(config, stop).await.map_err(anyhow::Error::from)
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Collect(collect) => {
            let config = load(&collect.common)?;
            let mut sampler = Sampler::new(&config.metrics);
            let rows = sampler.sample(Moment::exact(time::now()), &mut |_| {});
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            collect::write_exposition(rows, &mut out).context("the row cannot be printed")?;
            out.flush().context("the row cannot be printed")?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Status(status) => show_status(&status),
        Command::Inventory(asked) => show_inventory(&asked),
        Command::Exec(exec) => exec_check(exec),
        Command::Push(push) => push_result(push),
    }
}

fn exec_plugin(arguments: &ExecCheckArguments) -> ExitCode {
    let ExecCheckArguments { parent, memory, files, cpu, nice, ref command } = *arguments;
    let limits = ExecLimits { memory_bytes: memory, files, cpu_seconds: cpu, nice };
    let error = exec_check::exec(limits, parent, command);
    let _ = writeln!(std::io::stderr(), "muster-agent: {error}");
    ExitCode::from(error.exit_code())
}

fn run_check(arguments: &CheckRunArguments) -> Result<ExitCode> {
    let config = remote::show::in_force(load(&arguments.common)?);
    let run = match checks::run_once(&config.checks, &arguments.name) {
        Err(error @ checks::worker::CheckError::Unknown { .. }) => bail!(Usage(error.to_string())),
        run => run?,
    };
    std::io::stdout().write_all(run.show().as_bytes()).context("the result cannot be printed")?;
    Ok(ExitCode::from(run.state() as u8))
}

fn import_checks(arguments: &ImportArguments) -> Result<ExitCode> {
    let imported = import(&arguments.file).map_err(|error| Usage(error.to_string()))?;
    let toml = imported.to_toml();
    match &arguments.write {
        Some(file) => write_new(file, toml.as_bytes())?,
        None => std::io::stdout().write_all(toml.as_bytes()).context("the checks cannot be printed")?,
    }
    let mut told = std::io::stderr();
    for left in &imported.left {
        let _ = writeln!(told, "{left}");
    }
    let _ = writeln!(told, "{} commands taken, {} lines told above", imported.taken.len(), imported.left.len());
    Ok(if imported.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_remote(arguments: &RemoteShowArguments) -> Result<ExitCode> {
    let config = load(&arguments.common)?;
    let folder = config.agent.state_dir.display().to_string();
    let shown = remote::show::read(config, time::now());
    let shown = shown.with_context(|| format!("what is kept in {folder} cannot be read: run this as root"))?;
    let text = match arguments.output {
        Output::Table => shown.text(),
        Output::Json => shown.json().context("it cannot be printed")? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).context("it cannot be printed")?;
    Ok(ExitCode::SUCCESS)
}

fn check_remote(arguments: &RemoteCheckArguments) -> Result<ExitCode> {
    let config = load(&arguments.common)?;
    let name = arguments.file.display().to_string();
    let text = std::fs::read_to_string(&arguments.file)
        .map_err(|error| Usage(format!("{name} cannot be read: {error}; name a TOML file that is readable")))?;
    let checked = remote::show::check(config, &name, &text);
    std::io::stdout().write_all(checked.text.as_bytes()).context("the judgement cannot be printed")?;
    Ok(if checked.fits { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scene(common: Common, unit: Option<PathBuf>) -> Scene {
    let options = DoctorOptions { config: common.config, state: common.state, sets: common.set, unit };
    Scene::read(&options, time::now())
}

fn examine(arguments: DoctorArguments) -> Result<ExitCode> {
    let findings = doctor::examine(&scene(arguments.common, arguments.unit));
    let text = match arguments.output {
        DoctorOutput::Text => finding::show(&findings),
        DoctorOutput::Json => format!("{:#}\n", doctor::to_json(&findings)),
    };
    std::io::stdout().write_all(text.as_bytes()).context("the findings cannot be printed")?;
    Ok(if finding::worst(&findings) == Level::Problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn write_bundle(arguments: BundleArguments) -> Result<ExitCode> {
    let now = time::now();
    let seconds = now.millis() / 1_000;
    let file = arguments.to.unwrap_or_else(|| PathBuf::from(format!("muster-agent-bundle-{seconds}.tar.gz")));
    let bytes = bundle::make(&scene(arguments.common, None), now).context("the archive cannot be made")?;
    write_new(&file, &bytes)?;
    writeln!(std::io::stdout(), "{}", file.display()).context("the archive's name cannot be printed")?;
    Ok(ExitCode::SUCCESS)
}

/// A new file that its owner alone may read.
fn write_new(file: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file).map_err(|error| {
        Usage(format!("{} cannot be made: {error}; name a new file in a folder that you may write to", file.display()))
    })?;
    let written = (&opened).write_all(bytes).and_then(|()| opened.sync_all());
    written.with_context(|| format!("{} cannot be written", file.display()))
}

fn start_log(level: &str) -> Result<()> {
    // Not EnvFilter: its patterns of fields bring an engine of regular expressions of their own, 200 kB of the program.
    // A word without `=` would be a module of which everything is told, and nothing of the others.
    let is_known = level.split(',').all(|part| part.contains('=') || part.parse::<LevelFilter>().is_ok());
    let filter = level.parse::<Targets>().ok().filter(|_| is_known).ok_or_else(|| {
        Usage(format!(
            "--log `{level}` is not understood: write error, warn, info, debug or trace, or MODULE=LEVEL with commas between"
        ))
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime can be started")
}

fn load(common: &Common) -> Result<Config> {
    let mut config = config::load(common.config.as_deref(), &common.set)?;
    if let Some(state) = &common.state {
        config.agent.state_dir.clone_from(state);
    }
    Ok(config)
}

fn enrol_host(arguments: &EnrolArguments) -> Result<ExitCode> {
    let config = load(&arguments.common)?;
    let word = TokenWord::parse(&token_text(arguments)?).map_err(|error| Usage(error.to_string()))?;
    let options = EnrolOptions {
        collector: arguments.collector.clone(),
        word,
        name: arguments.name.clone().or(config.agent.name).unwrap_or_default(),
        state_dir: config.agent.state_dir,
        facts: facts::read_host_facts(),
        replace: arguments.replace,
        wait: !arguments.no_wait,
    };
    let say = &mut |text: &str| {
        let _ = writeln!(std::io::stderr(), "{text}");
    };
    let outcome = runtime()?.block_on(enrol::enrol(&options, time::now, say))?;
    if let Some(hint) = &outcome.clock_hint {
        say(hint);
    }
    let days = outcome.expires.since(time::now()).as_secs() / 86_400;
    let text =
        format!("enrolled as {} ({}); the certificate has {days} days and renews itself", outcome.name, outcome.host);
    writeln!(std::io::stdout(), "{text}").context("the result cannot be printed")?;
    Ok(ExitCode::SUCCESS)
}

fn token_text(arguments: &EnrolArguments) -> Result<String> {
    let mut text = String::new();
    match (&arguments.token_file, &arguments.token) {
        (Some(file), _) if file == Path::new("-") => {
            std::io::stdin()
                .take(TOKEN_FILE_BYTES_MAX)
                .read_to_string(&mut text)
                .context("no token on standard input")?;
        }
        (Some(file), _) => {
            let opened = std::fs::File::open(file);
            let read = opened.and_then(|file| file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text));
            read.with_context(|| format!("the token file {} cannot be read", file.display()))?;
        }
        (None, Some(word)) => text.clone_from(word),
        (None, None) => bail!(Usage(
            "no token: give --token WORD, --token-file FILE or MUSTER_ENROL_TOKEN, with a word from `muster token new`"
                .to_owned()
        )),
    }
    Ok(text)
}

fn exec_check(arguments: ExecArguments) -> Result<ExitCode> {
    let state_dir = load(&arguments.common)?.agent.state_dir;
    let options = ExecOptions {
        check: arguments.name,
        command: arguments.command,
        every: arguments.every.unwrap_or_default(),
        grace: arguments.grace,
        attempts: arguments.attempts,
        labels: arguments.label,
        timeout: arguments.timeout,
        plugin: arguments.plugin,
    };
    let ran = exec::run(&options, || give::corrected_ms(&state_dir, time::now()));
    let at_ms = ran.report.at_ms;
    if let Err(error) = give::give(&RealDisk, &state_dir, time::now(), at_ms, Report::Check(ran.report)) {
        // Whoever started the command waits for its code, not for ours.
        let _ = writeln!(std::io::stderr(), "muster-agent: how `{}` went is not told: {error}", options.check);
    }
    Ok(ExitCode::from(ran.code))
}

fn push_result(arguments: PushArguments) -> Result<ExitCode> {
    let common = Common { config: arguments.config, state: arguments.state_dir, set: arguments.set };
    let state_dir = load(&common)?.agent.state_dir;
    let mut output = arguments.output;
    if output == "-" {
        output.clear();
        let mut bytes = Vec::new();
        let input = std::io::stdin();
        input.take(PUSH_OUTPUT_BYTES_MAX).read_to_end(&mut bytes).context("no output on standard input")?;
        output.push_str(&String::from_utf8_lossy(&bytes));
    }
    let now = time::now();
    let at_ms = give::corrected_ms(&state_dir, now);
    let options = PushOptions {
        check: arguments.name,
        state: arguments.state,
        output,
        perfdata: arguments.perfdata,
        labels: arguments.label,
        ttl: arguments.ttl.unwrap_or_default(),
        attempts: arguments.attempts,
    };
    give::give(&RealDisk, &state_dir, now, at_ms, Report::Check(push::report(options, at_ms)))?;
    Ok(ExitCode::SUCCESS)
}

fn show_inventory(arguments: &InventoryArguments) -> Result<ExitCode> {
    let config = load(&arguments.common)?.inventory;
    let asked = match (arguments.cost, arguments.output) {
        (true, _) => Asked::Cost,
        (false, Output::Table) => Asked::Text,
        (false, Output::Json) => Asked::Json,
    };
    let shown = show::show(&config, arguments.table.as_deref(), asked).map_err(|error| Usage(error.to_string()))?;
    std::io::stdout().write_all(shown.text.as_bytes()).context("the inventory cannot be printed")?;
    for problem in &shown.problems {
        let _ = writeln!(std::io::stderr(), "muster-agent: {problem}");
    }
    Ok(if shown.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show_status(arguments: &StatusArguments) -> Result<ExitCode> {
    let state_dir = load(&arguments.common)?.agent.state_dir;
    let read = Status::read(&state_dir);
    let read = read.with_context(|| format!("the status in {} cannot be read", state_dir.display()))?;
    let Some(status) = read else {
        bail!("no agent has run with state folder {}: start it, or name the folder with --state", state_dir.display());
    };
    let now = time::now();
    let text = match arguments.output {
        Output::Table => status.show(now),
        Output::Json => status.show_json(now).context("the status cannot be printed")? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).context("the status cannot be printed")?;
    Ok(if status.problems(now).is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
