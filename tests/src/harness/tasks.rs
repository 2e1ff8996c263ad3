//! A real `muster-task` beside a real agent, and the people whose keys it knows: keys, signatures and approvals by the real commands.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use muster_common::task::SigningKey;
use serde_json::Value;

use super::agent::{Agent, AgentHome, run, until};
use super::collector::{Collector, Options, signal};
use super::operator::Operator;
use super::programs;

/// Longer than anything here takes on a starved machine.
const LIMIT: Duration = Duration::from_secs(120);
const PASSWORD: &str = "correct horse battery";
/// Who asks, as an operator, and who approves.
pub const ASKER: &str = "anna";
pub const APPROVER: &str = "bob";
/// States that a host's call stays in.
const ENDED: [&str; 6] = ["ok", "failed", "refused", "cancelled", "lost", "skipped"];

/// A collector that knows who signs and who approves, one who asks and one who approves, each logged in.
pub struct Team {
    /// Who administers the collector.
    pub operator: Operator,
    options: Options,
    folder: PathBuf,
    signer: String,
    approver: String,
}

impl Team {
    /// Makes keys and users, and starts the collector with these further settings (`section.key=value`).
    ///
    /// # Errors
    /// With what a program said.
    pub fn start(programs: &Path, folder: &Path, settings: &[&str]) -> Result<Self> {
        let key = |name: &str| {
            let (code, public, error) =
                run(programs, "muster", &["task", "key", "new", &text(&folder.join(format!("{name}.key")))])?;
            ensure!(code == 0, "muster task key new: {error}");
            anyhow::Ok(public.trim().to_owned())
        };
        let (signer, approver) = (key("release")?, key(APPROVER)?);
        let keys = folder.join("task-keys");
        std::fs::write(&keys, format!("signer release {signer}\napprover {APPROVER} {approver}\n"))?;
        let mut options = Options::new(programs, &folder.join("data"));
        let named = format!("tasks.keys={}", keys.display());
        let all = ["agents.spread=0s", &named].into_iter().chain(settings.iter().copied());
        options.arguments = all.flat_map(|one| ["--set".to_owned(), one.to_owned()]).collect();
        let collector = Collector::start(&options)?;
        // Another process of it is found where this one was.
        (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
        let operator = Operator::new(programs, collector);
        let team = Self { operator, options, folder: folder.to_owned(), signer, approver };
        let file = folder.join("password");
        std::fs::write(&file, format!("{PASSWORD}\n"))?;
        for (name, role) in [(ASKER, "operator"), (APPROVER, "admin")] {
            team.operator.done(&["user", "add", name, "--role", role, "--password-file", &text(&file)])?;
            team.done_as(name, &["login", name, "--password-file", &text(&file)])?;
        }
        Ok(team)
    }

    /// Exit code, output and errors of `muster`, as this person.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_as(&self, person: &str, words: &[&str]) -> Result<(i32, String, String)> {
        let url = format!("http://{}", self.operator.collector.http);
        let session = text(&self.folder.join(format!("{person}.session")));
        let mut all = vec!["--url", url.as_str(), "--session", session.as_str()];
        all.extend(words);
        run(&self.operator.programs, "muster", &all)
    }

    /// What `muster` prints.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub fn done_as(&self, person: &str, words: &[&str]) -> Result<String> {
        let (code, out, error) = self.run_as(person, words)?;
        ensure!(code == 0, "{person}: {words:?}: {out}{error}");
        Ok(out)
    }

    /// Signs a catalogue and hands it in.
    ///
    /// # Errors
    /// With what a program said.
    pub fn publish(&self, document: &str) -> Result<()> {
        let file = self.folder.join("tasks.toml");
        std::fs::write(&file, document)?;
        self.done_as(ASKER, &["task", "sign", &text(&file), "--key", &text(&self.folder.join("release.key"))])?;
        self.operator.done(&["task", "add", &text(&file)])?;
        Ok(())
    }

    /// Waits until the newest catalogue is in force on so many hosts.
    ///
    /// # Errors
    /// When it is not.
    pub fn wait_in_force(&self, hosts: u64) -> Result<()> {
        until("the catalogue in force", LIMIT, || {
            let answer = self.operator.get("tasks/catalogue")?;
            Ok((answer["catalogue"]["taken"] == hosts).then_some(()))
        })
    }

    /// A host of this name: enrolled, with a `task.toml` that knows these keys and allows what `allowed` lists (its sections `[tasks.NAME]`).
    /// Nothing of it runs yet.
    ///
    /// # Errors
    /// With what a program said.
    pub fn host(&self, name: &str, allowed: &str) -> Result<TaskHost> {
        let Operator { programs, collector } = &self.operator;
        let home = AgentHome::enrol(programs, collector, &self.folder, name)?;
        self.host_of(home, allowed)
    }

    /// As [`Team::host`], of a host that is enrolled already.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn host_of(&self, home: AgentHome, allowed: &str) -> Result<TaskHost> {
        let folder = self.folder.join(format!("{}-task", home.name));
        std::fs::create_dir(&folder)?;
        let settings = format!(
            "enabled = true\nagent_user = \"{}\"\nfolder = \"{}\"\nsigners = [\"{}\"]\ncalls_per_minute = 100\n\
             [approvers]\n{APPROVER} = \"{}\"\n{allowed}",
            own_account()?,
            folder.join("state").display(),
            self.signer,
            self.approver
        );
        std::fs::write(folder.join("task.toml"), settings)?;
        std::fs::set_permissions(folder.join("task.toml"), std::fs::Permissions::from_mode(0o644))?;
        Ok(TaskHost { home, folder, wrapper: Vec::new(), environment: Vec::new(), program: None, agent: None })
    }

    /// Asks for a task, in the words of `muster task run` and `muster rollout start`; the order's number.
    ///
    /// # Errors
    /// With what `muster` said.
    pub fn ask(&self, words: &[&str]) -> Result<u64> {
        let told = self.done_as(ASKER, words)?;
        let number = told.strip_prefix("order ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        number.with_context(|| format!("no order in {told:?}"))
    }

    /// The other one approves it.
    ///
    /// # Errors
    /// With what `muster` said.
    pub fn approve(&self, order: u64) -> Result<String> {
        let key = text(&self.folder.join(format!("{APPROVER}.key")));
        self.done_as(APPROVER, &["task", "approve", &order.to_string(), "--key", &key, "--as", APPROVER, "--yes"])
    }

    /// Asks for a task on a host, has it approved, and waits for its end there: see [`Team::ended`].
    ///
    /// # Errors
    /// With what `muster` said, or when there is no end.
    pub fn run(&self, host: &str, task: &str, parameters: &[&str]) -> Result<(u64, Value)> {
        let mut words = vec!["task", "run", task, "--host", host];
        words.extend(parameters.iter().flat_map(|pair| ["--set", pair]));
        let order = self.ask(&words)?;
        self.approve(order)?;
        Ok((order, self.ended(order, host)?))
    }

    /// What the collector knows of an order.
    ///
    /// # Errors
    /// When there is no such order.
    pub fn order(&self, order: u64) -> Result<Value> {
        self.operator.get(&format!("tasks/orders/{order}"))
    }

    /// How the first step of an order stands on a host.
    ///
    /// # Errors
    /// When the order or the host is not known.
    pub fn standing(&self, order: u64, host: &str) -> Result<Value> {
        let answer = self.order(order)?;
        let hosts = answer["hosts"].as_array().context("no hosts")?;
        let found = hosts.iter().find(|one| one["host"] == host).with_context(|| format!("no {host} in {answer}"))?;
        Ok(found["run"].clone())
    }

    /// The same, once it has ended there.
    ///
    /// # Errors
    /// When it does not.
    pub fn ended(&self, order: u64, host: &str) -> Result<Value> {
        until("the end of a task", LIMIT, || {
            let standing = self.standing(order, host)?;
            Ok(ENDED.iter().any(|state| standing["state"] == *state).then_some(standing))
        })
    }

    /// What `muster task show` prints of an order.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn shown(&self, order: u64) -> Result<String> {
        Ok(self.run_as(ASKER, &["task", "show", &order.to_string()])?.1)
    }

    /// What `muster task output` prints of a host, and what it notes beside that.
    ///
    /// # Errors
    /// With what it said.
    pub fn output(&self, order: u64, host: &str) -> Result<(String, String)> {
        let (code, out, notes) = self.run_as(ASKER, &["task", "output", &order.to_string(), host])?;
        ensure!(code == 0, "muster task output: {notes}");
        Ok((out, notes))
    }

    /// The private key of the one who approves: of tests that play whoever has stolen it.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn stolen_key(&self) -> Result<SigningKey> {
        Ok(SigningKey::from_pem(&std::fs::read_to_string(self.folder.join(format!("{APPROVER}.key")))?)?)
    }

    /// SIGKILL; [`Team::return_collector`] starts another process of it.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn kill_collector(&mut self) -> Result<()> {
        signal(self.operator.collector.id, "KILL")?;
        self.operator.collector.wait_end(LIMIT).map(drop)
    }

    /// # Errors
    /// When it does not start.
    pub fn return_collector(&mut self) -> Result<()> {
        self.operator.collector = Collector::start(&self.options)?;
        Ok(())
    }
}

/// A host that runs tasks: an agent and `muster-task` with their folders. Dropping it kills both.
pub struct TaskHost {
    pub home: AgentHome,
    /// Where its `task.toml` and its socket are.
    pub folder: PathBuf,
    /// Words before `muster-task` and variables for it.
    wrapper: Vec<String>,
    environment: Vec<(String, String)>,
    program: Option<Child>,
    agent: Option<Agent>,
}

impl TaskHost {
    /// `muster-task` and the tasks it runs see these folders at these places, in a namespace of mounts of its own: (folder, place that exists). Needs root.
    #[must_use]
    pub fn sees(mut self, mounts: &[(&Path, &str)]) -> Self {
        let script = r#"while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done; shift; exec "$@""#;
        self.wrapper = ["unshare", "--mount", "sh", "-ec", script, "sh"].map(str::to_owned).into();
        self.wrapper.extend(mounts.iter().flat_map(|(folder, place)| [text(folder), (*place).to_owned()]));
        self.wrapper.push("--".to_owned());
        self
    }

    /// The clock that `muster-task` reads differs by so much, as `+2h`.
    #[must_use]
    pub fn with_clock(mut self, offset: &str) -> Self {
        let library = programs::tool("libfaketime", "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1");
        let variables = [
            ("LD_PRELOAD", text(&library)),
            ("FAKETIME", offset.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ];
        self.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// Starts both, `muster-task` first: the agent says in its hello that there is one.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(&mut self) -> Result<()> {
        self.start_program()?;
        self.start_agent()
    }

    /// # Errors
    /// When it does not listen: with its log.
    pub fn start_program(&mut self) -> Result<()> {
        let socket = self.folder.join("sock");
        let _ = std::fs::remove_file(&socket);
        let program = text(&programs::program(&self.home.programs, "muster-task"));
        let mut words = self.wrapper.clone();
        words.extend([program, "run".into(), "--socket".into(), text(&socket), "--config".into(), self.config()]);
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log"))?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.program = Some(command.spawn().with_context(|| format!("failed to start {}", words.join(" ")))?);
        let is_there = || std::fs::metadata(&socket).is_ok_and(|found| found.file_type().is_socket());
        until("the socket of muster-task", LIMIT, || Ok(is_there().then_some(()))).with_context(|| self.log())
    }

    /// # Errors
    /// When it cannot be started.
    pub fn start_agent(&mut self) -> Result<()> {
        let socket = format!("agent.task_socket={}", self.folder.join("sock").display());
        self.agent = Some(self.home.start(&[&socket])?);
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_program(&mut self) -> Result<()> {
        let mut program = self.program.take().context("muster-task does not run")?;
        program.kill()?;
        program.wait()?;
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_agent(&mut self) -> Result<()> {
        self.agent.take().context("the agent does not run")?.kill()
    }

    fn config(&self) -> String {
        text(&self.folder.join("task.toml"))
    }

    /// One of `muster-task`'s own commands on this host, such as `check`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn command(&self, words: &[&str]) -> Result<Output> {
        let program = programs::program(&self.home.programs, "muster-task");
        Ok(Command::new(program).args(words).args(["--config", &self.config()]).output()?)
    }

    /// The host's own record, whose chain it has verified: each entry.
    ///
    /// # Errors
    /// When the chain is not whole.
    pub fn audit(&self) -> Result<Vec<Value>> {
        let verified = self.command(&["audit", "verify"])?;
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        ensure!(verified.status.success(), "{said}{}", String::from_utf8_lossy(&verified.stderr));
        let shown = String::from_utf8(self.command(&["audit", "show"])?.stdout)?;
        let entries = shown.lines().map(|line| {
            let (_, entry) = line.split_once(' ').with_context(|| format!("no entry: {line}"))?;
            Ok(serde_json::from_str(entry)?)
        });
        let entries: Vec<Value> = entries.collect::<Result<_>>()?;
        ensure!(said.starts_with(&format!("{} entries are whole", entries.len())), "{said}");
        Ok(entries)
    }

    /// What `muster-task` logged, all runs together.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for TaskHost {
    fn drop(&mut self) {
        if let Some(mut program) = self.program.take() {
            let _ = program.kill();
            let _ = program.wait();
        }
        if std::thread::panicking() {
            eprintln!("log of muster-task on {}:\n{}", self.home.name, self.log());
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether this runs as root, whom mounts of one's own and other accounts need.
///
/// # Errors
/// When the system does not say who this is.
pub fn is_root() -> Result<bool> {
    Ok(own_id()? == 0)
}

fn own_id() -> Result<u32> {
    Ok(std::fs::metadata("/proc/self").context("/proc/self")?.uid())
}

/// The name of the account that this runs as.
///
/// # Errors
/// When it has none.
pub fn own_account() -> Result<String> {
    let id = own_id()?.to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&id));
    match line.and_then(|line| line.split(':').next()) {
        Some(name) => Ok(name.to_owned()),
        None => bail!("no account has the id {id}"),
    }
}
