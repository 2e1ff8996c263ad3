//! The command line of `muster-collector`. A library's, so that man pages and completion are made of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The collector of Muster: takes what agents send, stores it exactly once, answers.
#[derive(Debug, Parser)]
#[command(name = "muster-collector", version, max_term_width = 120)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run.
    Serve(Serve),
    /// Make a data folder of a snapshot; no collector runs on it meanwhile.
    Restore(Restore),
    /// Read a snapshot whole and say whether it can be restored; changes nothing.
    VerifySnapshot(VerifySnapshot),
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration, TOML [default: /etc/muster/collector.toml where there is one; no key is needed].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder for everything the collector keeps [default: /var/lib/muster-collector].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen for HTTP, which is HTTPS on any but a loopback address; port 0 picks a free one [default: 127.0.0.1:9470].
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// Where to listen for agents, UDP; port 0 picks a free one [default: 0.0.0.0:9471].
    #[arg(long, value_name = "ADDR:PORT")]
    pub agents: Option<SocketAddr>,
    /// Rule files in Prometheus' form, or folders of them; may be given several times [default: /etc/muster/rules where there is one].
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Whom to tell, in Alertmanager's form [default: /etc/muster/alerting.yml where there is one].
    #[arg(long, value_name = "FILE")]
    pub alerting: Option<PathBuf>,
    /// Ask nobody for a token. Only with a loopback address.
    #[arg(long)]
    pub no_auth: bool,
    /// Set one key over the file's value; may be given several times.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub sets: Vec<String>,
    /// Read the configuration, say what is wrong with it, and end.
    #[arg(long)]
    pub check_config: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The snapshot's folder.
    #[arg(long, value_name = "SNAPSHOT")]
    pub from: PathBuf,
    /// The data folder to make: empty, or not there.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The key file that was in force when the snapshot was made.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Put the configuration that was in force into this folder: empty, or not there [default: it stays in the snapshot].
    #[arg(long, value_name = "DIR")]
    pub config_to: Option<PathBuf>,
    /// Read what was made once more and compare its numbers before it may be used.
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub struct VerifySnapshot {
    /// The snapshot's folder.
    pub snapshot: PathBuf,
    /// Say too whether this key file opens the private keys.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(words: &[&str]) -> Result<Serve, clap::Error> {
        let words = ["muster-collector", "serve"].iter().chain(words);
        CommandLine::try_parse_from(words).map(|line| match line.command {
            Command::Serve(serve) => serve,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_fixed_command_line_is_taken() {
        let all = "--config c --data d --http 127.0.0.1:0 --agents 0.0.0.0:0 --no-auth --set a.b=c --set d.e=f --check-config";
        let serve = serve(&all.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!(serve.sets, ["a.b=c", "d.e=f"]);
        assert!(serve.no_auth && serve.check_config);
    }

    #[test]
    fn flags_of_later_versions_are_refused_by_name() {
        let named = serve(&["--rules", "a.yml", "--rules", "b.yml", "--alerting", "c.yml"]).unwrap();
        assert_eq!((named.rules.len(), named.alerting), (2, Some(PathBuf::from("c.yml"))));
        assert!(serve(&["--http", "localhost"]).is_err());
    }
}
