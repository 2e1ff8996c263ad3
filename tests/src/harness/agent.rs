//! A real `muster-agent`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::collector::{Collector, signal};
use super::programs;

/// An enrolled agent's folder, and how to run it.
#[derive(Clone, Debug)]
pub struct AgentHome {
    pub programs: PathBuf,
    pub state: PathBuf,
    pub name: String,
}

/// A running agent. Dropping it kills it.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

/// Runs one of our programs to its end: (exit code, standard output, standard error).
///
/// # Errors
/// When it cannot be started.
pub fn run(programs: &Path, name: &str, words: &[&str]) -> Result<(i32, String, String)> {
    let output = Command::new(programs::program(programs, name)).args(words).stdin(Stdio::null()).output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr)))
}

/// `muster` against this collector, with its administrator's token.
///
/// # Errors
/// When it cannot be started.
pub fn muster(programs: &Path, collector: &Collector, words: &[&str]) -> Result<(i32, String, String)> {
    let url = format!("http://{}", collector.http);
    let mut all = vec!["--url", &url, "--token", &collector.token];
    all.extend(words);
    run(programs, "muster", &all)
}

/// A new enrolment token's word; `words` are further arguments of `muster token new`.
///
/// # Errors
/// With what `muster` said.
pub fn token(programs: &Path, collector: &Collector, words: &[&str]) -> Result<String> {
    let mut all = vec!["token", "new"];
    all.extend(words);
    let (code, out, error) = muster(programs, collector, &all)?;
    if code != 0 {
        bail!("muster token new: {error}");
    }
    out.lines().last().map(str::to_owned).context("muster token new printed nothing")
}

impl AgentHome {
    /// Enrols a host of this name with a fresh token.
    ///
    /// # Errors
    /// With what the programs said.
    pub fn enrol(programs: &Path, collector: &Collector, folder: &Path, name: &str) -> Result<Self> {
        let word = token(programs, collector, &["--name", name])?;
        let home = Self { programs: programs.to_path_buf(), state: folder.join(name), name: name.to_owned() };
        let (code, _, error) = home.enrol_with(&collector.agents.to_string(), &word)?;
        if code == 0 { Ok(home) } else { bail!("muster-agent enrol: {error}") }
    }

    /// Runs `muster-agent enrol` with this word.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn enrol_with(&self, collector: &str, word: &str) -> Result<(i32, String, String)> {
        let state = self.state.to_string_lossy();
        let words = ["enrol", "--collector", collector, "--token", word, "--name", &self.name, "--state", &state];
        run(&self.programs, "muster-agent", &words)
    }

    /// Starts it; `settings` are `section.key=value`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, settings: &[&str]) -> Result<Agent> {
        let words: Vec<String> = settings.iter().flat_map(|one| ["--set".to_owned(), (*one).to_owned()]).collect();
        self.start_with(&words)
    }

    /// As [`AgentHome::start`], with the programs of this folder before all others of their names.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_in_path(&self, folder: &Path, settings: &[&str]) -> Result<Agent> {
        #[expect(clippy::disallowed_methods, reason = "the other programs stay where they are")]
        let rest = std::env::var("PATH").unwrap_or_default();
        let words = settings.iter().flat_map(|one| ["--set", one]).map(str::to_owned).collect::<Vec<_>>();
        self.spawn(&words, |command| {
            command.env("PATH", format!("{}:{rest}", folder.display()));
        })
    }

    /// Starts it with these further arguments of `run`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_with(&self, words: &[String]) -> Result<Agent> {
        self.spawn(words, |_| {})
    }

    fn spawn(&self, words: &[String], change: impl FnOnce(&mut Command)) -> Result<Agent> {
        let log = self.state.with_extension("log");
        let file = std::fs::File::options().create(true).append(true).open(&log)?;
        let mut command = Command::new(programs::program(&self.programs, "muster-agent"));
        command.args(["run", "--state"]).arg(&self.state);
        command.args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        change(&mut command);
        Ok(Agent { child: command.spawn().context("failed to start muster-agent")?, log })
    }
}

impl Agent {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged, all runs of this folder together.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL, and waits for its end.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(mut self) -> Result<()> {
        signal(self.child.id(), "KILL")?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits up to 10 s for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<ExitStatus> {
        signal(self.child.id(), "TERM")?;
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the agent did not end within 10 s of SIGTERM:\n{}", self.log())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Asks again until `ready` gives a value, at most `limit`; between two tries it waits 50 ms.
///
/// # Errors
/// When the limit passes; `what` says what was waited for.
pub fn until<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let tries = limit.as_millis() / 50;
    let mut last = None;
    for _ in 0..tries.max(1) {
        match ready() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    match last {
        Some(error) => Err(error.context(format!("{what} did not happen within {limit:?}"))),
        None => bail!("{what} did not happen within {limit:?}"),
    }
}
