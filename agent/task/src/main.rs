//! `muster-task`: arguments, exit codes, and which part does what. 0: well, 1: a problem, 2: wrong usage or configuration.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use muster_task::arguments::{Arguments, AuditCommand, Command, Common, ExecTaskArguments, RunArguments};
use muster_task::exec_task::{self, Place};
use muster_task::server::{self, Options, ServeError};
use muster_task::{audit, check, settings};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors to clap, to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let Ok(level) = arguments.log.parse::<LevelFilter>() else {
        return fail("--log takes error, warn, info, debug or trace", 2);
    };
    let result = match arguments.command {
        // Before anything else: it has one thread and becomes another program.
        Command::ExecTask(arguments) => return exec(arguments),
        Command::Run(arguments) => run(arguments, level),
        Command::Check(common) => judge(&common),
        Command::Audit(AuditCommand::Verify(common)) => verify(&common),
        Command::Audit(AuditCommand::Show(common)) => show(&common),
    };
    result.unwrap_or_else(|error| {
        let is_settings = error.downcast_ref::<muster_common::settings::ConfigErrors>().is_some()
            || matches!(error.downcast_ref(), Some(ServeError::Settings(_)));
        fail(format!("{error:#}"), if is_settings { 2 } else { 1 })
    })
}

fn fail(text: impl std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "muster-task: {text}");
    ExitCode::from(code)
}

fn exec(arguments: ExecTaskArguments) -> ExitCode {
    let ExecTaskArguments { parent, uid, gid, memory, processes, cpu, cgroup, command } = arguments;
    let place = Place { parent, uid, gid, memory_bytes: memory, processes, cpu_seconds: cpu, cgroup };
    let error = exec_task::exec(&place, &command);
    fail(&error, error.exit_code())
}

fn run(arguments: RunArguments, level: LevelFilter) -> Result<ExitCode> {
    tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(std::io::stderr).init();
    let launcher = std::env::current_exe().context("failed to find this program")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("failed to start")?;
    let options = Options { settings: arguments.common.config, socket: arguments.socket, launcher };
    runtime.block_on(server::serve(options))?;
    Ok(ExitCode::SUCCESS)
}

fn judge(common: &Common) -> Result<ExitCode> {
    let settings = settings::load(&common.config)?;
    let found = check::check(&common.config, &settings, Path::new("/etc/passwd"));
    write!(std::io::stdout(), "{}", found.text)?;
    for problem in &found.problems {
        writeln!(std::io::stdout(), "problem: {problem}")?;
    }
    Ok(if found.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn verify(common: &Common) -> Result<ExitCode> {
    let settings = settings::load(&common.config)?;
    let (count, last) = audit::verify(&settings.folder, |_, _| ())?;
    match last {
        Some(link) => {
            writeln!(std::io::stdout(), "{count} entries are whole, the last is {} with {}", link.seq, link.hash)?
        }
        None => writeln!(std::io::stdout(), "no entries yet")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(common: &Common) -> Result<ExitCode> {
    let settings = settings::load(&common.config)?;
    let mut failed = Ok(());
    audit::verify(&settings.folder, |seq, entry| {
        let written = serde_json::to_string(&entry)
            .map_err(std::io::Error::from)
            .and_then(|json| writeln!(std::io::stdout(), "{seq} {json}"));
        if failed.is_ok() {
            failed = written;
        }
    })?;
    failed.context("failed to write")?;
    Ok(ExitCode::SUCCESS)
}
