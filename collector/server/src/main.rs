//! `muster-collector`: the command line, logging, signals, exit codes (0 ok, 1 it failed, 2 wrong usage or configuration).

mod hypot;
mod offline;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use muster_common::time::monotonic;
use muster_server::command_line::{Command, CommandLine};
use muster_server::config::{Arguments, Config, load};
use muster_server::service::Service;
use muster_server::{Collector, SetLevel, chain, check_certificate, check_files};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // clap ends the process itself on wrong usage (2) and on --help (0).
    let command = CommandLine::parse().command;
    // The data folder holds the CA's key and hosts' numbers: nobody but its owner reads what is made in it.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let serve = match command {
        Command::Serve(serve) => serve,
        Command::Restore(asked) => return said(offline::restore(&asked)),
        Command::VerifySnapshot(asked) => return said(offline::verify(&asked)),
    };
    let check_only = serve.check_config;
    let arguments = Arguments {
        config: serve.config,
        data: serve.data,
        http: serve.http,
        agents: serve.agents,
        no_auth: serve.no_auth,
        sets: serve.sets,
        rules: serve.rules,
        alerting: serve.alerting,
    };
    match load(&arguments) {
        Err(errors) => {
            let _ = writeln!(std::io::stderr(), "{errors}");
            ExitCode::from(2)
        }
        Ok(config) if check_only => match check_certificate(&config, muster_common::time::now()) {
            Ok(()) => check_alerting(&config, &arguments),
            Err(why) => {
                let _ = writeln!(std::io::stderr(), "{why}");
                ExitCode::from(2)
            }
        },
        Ok(config) => run(arguments, config),
    }
}

/// The last part of `--check-config`: profiles, rule and routing files.
fn check_alerting(config: &Config, arguments: &Arguments) -> ExitCode {
    match check_files(config, arguments) {
        Ok(settings) => {
            for warning in settings.warnings {
                let _ = writeln!(std::io::stderr(), "{warning}");
            }
            let _ = writeln!(std::io::stdout(), "the configuration is right");
            ExitCode::SUCCESS
        }
        Err(faults) => {
            let _ = writeln!(std::io::stderr(), "{}", faults.join("\n"));
            ExitCode::from(2)
        }
    }
}

/// What a command that ends by itself says.
fn said(done: Result<String, String>) -> ExitCode {
    match done {
        Ok(text) => {
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            say(&text);
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "muster-collector: {text}");
}

fn run(arguments: Arguments, config: Config) -> ExitCode {
    let set_level = start_log(&config.log.level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.runtime.workers)
        .thread_name("muster")
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(serve(arguments, config, set_level)),
        Err(error) => {
            say(&format!("no threads could be started: {error}; raise the limit on processes"));
            ExitCode::FAILURE
        }
    }
}

/// Human text on standard error; the returned function changes the level.
fn start_log(level: &str) -> SetLevel {
    // The level was checked with the configuration.
    let filter = EnvFilter::builder().parse_lossy(level);
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let builder = builder.with_env_filter(filter).with_filter_reloading();
    let handle = builder.reload_handle();
    builder.init();
    Box::new(move |level| {
        let filter = EnvFilter::builder().parse(level).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}

async fn serve(arguments: Arguments, config: Config, set_level: SetLevel) -> ExitCode {
    // Before anything can be half done: a signal during the start must not kill.
    let signals = Signals::new();
    let mut signals = match signals {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!("signals cannot be caught: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let collector = match Collector::start(arguments, config, set_level).await {
        Ok(collector) => collector,
        Err(error) => {
            say(&chain(&error));
            return ExitCode::FAILURE;
        }
    };
    // One line that programs read: its form stays.
    let _ = writeln!(
        std::io::stderr(),
        "muster-collector ready http={} agents={}",
        collector.http_addr(),
        collector.agents_addr()
    );
    let mut service = Service::from_environment(monotonic());
    let status = format!("answers at {}, takes agents at {}", collector.http_addr(), collector.agents_addr());
    service.ready(&status);
    let why = loop {
        service.alive(collector.commit_attempts(), monotonic());
        tokio::select! {
            _ = signals.terminate.recv() => break Ok("SIGTERM"),
            _ = signals.interrupt.recv() => break Ok("SIGINT"),
            why = collector.broken() => break Err(why),
            _ = signals.hangup.recv() => {
                service.reloading();
                // What was done, or why not, is in the log.
                let _ = collector.reload().await;
                service.ready(&status);
            }
            () = tokio::time::sleep(service.wait(monotonic())) => {}
        }
    };
    match why {
        Ok(signal) => tracing::info!("{signal}: stopping"),
        Err(why) => tracing::error!("{why}"),
    }
    service.stopping();
    collector.stop().await;
    tracing::info!("stopped");
    // After a failure the service manager starts it anew.
    if why.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}
