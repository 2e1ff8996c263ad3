//! The project's commands: `cargo xtask web | demo | test | dist | bench | figures | deny`.
#![expect(clippy::print_stdout, reason = "a command line program: standard output is its purpose")]

mod bench;
mod build;
mod demo;
mod dist;
mod figures;
mod process;
mod test;
mod tools;
mod web;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  web               build the pages into collector/web/dist, which the next build of the collector embeds
  demo [--once]     build, start a collector and an agent on loopback, show a host's metrics in PromQL
                    and the collector's own log in LogQL, over rotations and a kill of the agent; Ctrl-C ends it
  test              what CI runs: outside programs, format, clippy, every test, the demo
  dist [--profile release|dev] [--programs DIR] [--out DIR] [--version V]
                    .deb, .rpm and .tar.gz of agent, collector and command in target/dist, with the installer and checksums
  bench [NAME]      loads against a release build: wire, remote-write, log-wire, loki-push, new-files, tail, agent
  figures [--quick] [GROUP...]
                    re-measure every figure, or those of some groups, and print goal, value, load, commit, pass or short
  deny              licences, bans and sources of the dependencies by cargo-deny";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["web"] => web::build(),
        ["demo"] => demo::run(false),
        ["demo", "--once"] => demo::run(true),
        ["test"] => test::run(),
        ["dist", words @ ..] => dist::Options::read(words).and_then(|options| dist::run(&options).map(drop)),
        ["bench", names @ ..] => bench::run(names),
        ["figures", "--quick", groups @ ..] => figures::run(true, groups),
        ["figures", groups @ ..] => figures::run(false, groups),
        ["deny"] => test::deny(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: no command `{}`\n\n{USAGE}", other.join(" "));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
