//! `muster-pages DIR`: writes man pages and completion of the four programs, made of their command lines. A program of its own, so that
//! what makes them is in no program that people run.
//!
//! Below DIR: `man/NAME.SECTION`, `bash/NAME`, `zsh/_NAME`, `fish/NAME.fish`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

/// A program's command line, the section of its pages, and what its page tells beyond its arguments (roff).
struct Program {
    command: Command,
    section: &'static str,
    more: &'static str,
}

fn programs() -> [Program; 4] {
    [
        Program {
            command: muster_agent::arguments::Arguments::command(),
            section: "8",
            more: include_str!("../../agent/sections.roff"),
        },
        Program {
            command: muster_task::arguments::Arguments::command(),
            section: "8",
            more: include_str!("../../agent/task.roff"),
        },
        Program {
            command: muster_server::command_line::CommandLine::command(),
            section: "8",
            more: include_str!("../../collector/sections.roff"),
        },
        Program {
            command: muster_cli::arguments::Arguments::command(),
            section: "1",
            more: include_str!("../../cli/sections.roff"),
        },
    ]
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let [folder] = words.as_slice() else {
        eprintln!("usage: muster-pages DIR");
        return ExitCode::from(2);
    };
    match write_all(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muster-pages: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &Path) -> Result<()> {
    for kind in ["man", "bash", "zsh", "fish"] {
        std::fs::create_dir_all(folder.join(kind)).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    for Program { command, section, more } in programs() {
        write_completion(folder, &command)?;
        let mut command = command.disable_help_subcommand(true);
        command.build();
        write_pages(&folder.join("man"), &command, section, Some(more))?;
    }
    Ok(())
}

fn write_completion(folder: &Path, command: &Command) -> Result<()> {
    let name = command.get_name().to_owned();
    for (shell, file) in [
        (Shell::Bash, format!("bash/{name}")),
        (Shell::Zsh, format!("zsh/_{name}")),
        (Shell::Fish, format!("fish/{name}.fish")),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), &name, &mut text);
        write(&folder.join(file), &text)?;
    }
    Ok(())
}

/// A page for the command and one for each command below it, as `git` has them.
fn write_pages(folder: &Path, command: &Command, section: &str, more: Option<&str>) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(folder, below, section, None)?;
    }
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(section)
        .source(format!("Muster {}", env!("CARGO_PKG_VERSION")))
        .manual("Muster");
    let mut text = Vec::new();
    man.render(&mut text).with_context(|| format!("the page of {name}"))?;
    text.extend_from_slice(more.unwrap_or_default().as_bytes());
    write(&folder.join(format!("{name}.{section}")), &text)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> (tempfile::TempDir, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path()).unwrap();
        let names = std::fs::read_dir(folder.path().join("man")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        (folder, names)
    }

    #[test]
    fn every_command_has_a_page_but_the_hidden_ones() {
        let (folder, names) = written();
        for page in [
            "muster.1",
            "muster-token-new.1",
            "muster-agent.8",
            "muster-agent-enrol.8",
            "muster-collector.8",
            "muster-task-audit-verify.8",
        ] {
            assert!(names.iter().any(|name| name == page), "{page} in {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("exec-check") || name.contains("exec-task")), "{names:?}");
        let page = std::fs::read_to_string(folder.path().join("man/muster-agent.8")).unwrap();
        for part in ["MUSTER-AGENT 8", ".SH FILES", "/etc/muster/agent.toml", "enrol"] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn each_shell_completes_each_program() {
        let (folder, _) = written();
        for name in ["muster", "muster-agent", "muster-collector", "muster-task"] {
            for file in [format!("bash/{name}"), format!("zsh/_{name}"), format!("fish/{name}.fish")] {
                let text = std::fs::read_to_string(folder.path().join(&file)).unwrap();
                assert!(text.contains(name), "{file}");
            }
        }
    }
}
