//! `muster`: reads the command line, prints the answer, ends with 0, 1 or 2.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use muster_cli::arguments::Arguments;
use muster_cli::commands::Printed;
use muster_cli::commands::query::Terminal;
use muster_cli::error::Failure;

/// Columns where there is no terminal to ask.
const COLUMNS: usize = 100;

fn main() -> ExitCode {
    // clap ends the process itself on wrong usage (2) and on --help (0).
    let arguments = Arguments::parse();
    let answer = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Unknown(format!("failed to start: {error}")))
        .and_then(|runtime| runtime.block_on(muster_cli::run(&arguments, terminal(), muster_common::time::now())));
    match answer {
        Ok(printed) => print(&printed),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "muster: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn print(printed: &Printed) -> ExitCode {
    let written = std::io::stdout().lock().write_all(printed.text.as_bytes());
    for note in &printed.notes {
        let _ = writeln!(std::io::stderr(), "{note}");
    }
    match written {
        // A reader that has seen enough (`| head`) is no problem.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "muster: failed to write the answer: {error}");
            ExitCode::from(2)
        }
        _ => ExitCode::from(printed.exit_code()),
    }
}

fn terminal() -> Terminal {
    let out = std::io::stdout();
    let columns = rustix::termios::tcgetwinsize(&out).map_or(0, |size| usize::from(size.ws_col));
    Terminal { columns: if columns == 0 { COLUMNS } else { columns }, colours: out.is_terminal() }
}
