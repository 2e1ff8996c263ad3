//! A real `muster-collector`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::http::{Answer, Connection, escape};
use super::programs;

/// How to start one.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the programs.
    pub programs: PathBuf,
    pub data: PathBuf,
    /// Where it listens. HTTP on another than a loopback address is HTTPS: then [`Collector::request`] and what stands on it get no answer.
    pub address: Ipv4Addr,
    /// 0 picks a free port; a fixed one lets agents find a restarted collector.
    pub http_port: u16,
    pub agents_port: u16,
    /// Further arguments of `serve`.
    pub arguments: Vec<String>,
    /// A program that runs the collector, such as strace with its arguments.
    pub wrapper: Vec<String>,
    /// The data folder is a file system of its own of so many bytes, in memory and gone with the collector; no wrapper then.
    pub disk_bytes: Option<u64>,
}

impl Options {
    pub fn new(programs: &Path, data: &Path) -> Self {
        Self {
            programs: programs.to_path_buf(),
            data: data.to_path_buf(),
            address: Ipv4Addr::LOCALHOST,
            http_port: 0,
            agents_port: 0,
            arguments: Vec::new(),
            wrapper: Vec::new(),
            disk_bytes: None,
        }
    }
}

/// A running collector. Dropping it kills it.
pub struct Collector {
    child: Child,
    /// The collector itself, not its wrapper.
    pub id: u32,
    pub http: SocketAddr,
    pub agents: SocketAddr,
    pub token: String,
    lines: Receiver<String>,
}

/// Longer than a start with a full inbox takes on a starved machine.
const START: Duration = Duration::from_secs(60);

impl Collector {
    /// Starts it and waits for its ready line.
    ///
    /// # Errors
    /// When it ends or says nothing: with what it printed.
    pub fn start(options: &Options) -> Result<Self> {
        let program = programs::program(&options.programs, "muster-collector");
        let mut words = options.wrapper.clone();
        if let Some(bytes) = options.disk_bytes {
            std::fs::create_dir_all(&options.data)?;
            words.extend(own_disk(&options.data, bytes));
        }
        words.push(program.to_string_lossy().into_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.args(["serve", "--http", &format!("{}:{}", options.address, options.http_port)]);
        command
            .args(["--agents", &format!("{}:{}", options.address, options.agents_port), "--data"])
            .arg(&options.data);
        command.args(&options.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("failed to start {}", words.join(" ")))?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        let (sender, lines) = sync_channel(10_000);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // A full channel only loses log text.
                let _ = sender.try_send(line);
            }
        });
        let (http, agents) = match wait_ready(&lines) {
            Ok(found) => found,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let id = if options.wrapper.is_empty() { child.id() } else { child_of(child.id())? };
        // As the collector sees it: the folder may be a file system that it alone has.
        let root = PathBuf::from(format!("/proc/{id}/root"));
        let data = root.join(std::path::absolute(&options.data)?.strip_prefix("/")?);
        let token = std::fs::read_to_string(data.join("admin.token")).context("no admin.token")?;
        Ok(Self { child, id, http, agents, token: token.trim().to_owned(), lines })
    }

    /// One request with the administrator's token, on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        let headers = [format!("Authorization: Bearer {}", self.token), "Connection: close".to_owned()];
        Connection::open(self.http)?.request(method, path, &headers, body)
    }

    /// # Errors
    /// When there is no answer, or another status than 200.
    pub fn get(&self, path: &str) -> Result<Answer> {
        let answer = self.request("GET", path, b"")?;
        if answer.status == 200 { Ok(answer) } else { bail!("GET {path}: {}: {}", answer.status, answer.text()) }
    }

    /// An instant query's result rows.
    ///
    /// # Errors
    /// As [`Collector::get`], or when the answer has no result.
    pub fn query(&self, expression: &str, at: Option<f64>) -> Result<Vec<serde_json::Value>> {
        let time = at.map(|at| format!("&time={at}")).unwrap_or_default();
        let answer = self.get(&format!("/api/v1/query?query={}{time}", escape(expression)))?.json()?;
        let rows = answer.pointer("/data/result").and_then(serde_json::Value::as_array);
        rows.cloned().with_context(|| format!("no result in {answer}"))
    }

    /// The number of an instant query with one result; `None` when it has none.
    ///
    /// # Errors
    /// As [`Collector::query`].
    pub fn number(&self, expression: &str, at: Option<f64>) -> Result<Option<f64>> {
        let rows = self.query(expression, at)?;
        Ok(rows.first().and_then(|row| row["value"][1].as_str()).and_then(|text| text.parse().ok()))
    }

    /// Heads to segments, merged; answers when done.
    ///
    /// # Errors
    /// With the collector's text.
    pub fn flush(&self) -> Result<()> {
        let answer = self.request("POST", "/-/flush?merge=1", b"")?;
        if answer.status < 300 { Ok(()) } else { bail!("flush: {}: {}", answer.status, answer.text()) }
    }

    /// Makes the file system of [`Options::disk_bytes`] so large; `None`: as large as what lies in it, so that it is full.
    ///
    /// # Errors
    /// With what the commands said.
    pub fn resize_disk(&self, folder: &Path, bytes: Option<u64>) -> Result<()> {
        let script = r#"size=$1; if [ "$size" = full ]; then size=$(df -B1 --output=used "$2" | tail -n 1 | tr -d ' '); fi; mount -o "remount,size=$size" "$2""#;
        let size = bytes.map_or_else(|| "full".to_owned(), |bytes| bytes.to_string());
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.id.to_string(), "--user", "--mount", "--preserve-credentials"]);
        command.args(["sh", "-ec", script, "sh", &size]).arg(folder);
        let output = command.output().context("failed to start nsenter")?;
        if output.status.success() { Ok(()) } else { bail!("resize: {}", String::from_utf8_lossy(&output.stderr)) }
    }

    /// What it logged since the last call.
    pub fn log(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and waits for its end.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn kill(mut self) -> Result<()> {
        signal(self.id, "KILL")?;
        self.child.wait().context("failed to wait")?;
        Ok(())
    }

    /// SIGTERM, and waits up to 20 s for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<ExitStatus> {
        signal(self.id, "TERM")?;
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the collector did not end within 20 s of SIGTERM:\n{}", self.log().join("\n"))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        for _ in 0..(limit.as_millis() / 10).max(1) {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the collector still runs after {limit:?}")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = signal(self.id, "KILL");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn wait_ready(lines: &Receiver<String>) -> Result<(SocketAddr, SocketAddr)> {
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(START) {
        let word = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)?.parse().ok());
        if let (true, Some(http), Some(agents)) = (line.contains("ready"), word("http="), word("agents=")) {
            return Ok((http, agents));
        }
        seen.push(line);
    }
    bail!("the collector did not become ready; it said:\n{}", seen.join("\n"))
}

/// The words before a program that give it a file system of its own at `folder`: namespaces of the user and of mounts, which need no rights
/// where the kernel allows them (`user.max_user_namespaces`).
fn own_disk(folder: &Path, bytes: u64) -> Vec<String> {
    let script = r#"mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@""#;
    let words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", script, "sh"];
    let mut words: Vec<String> = words.map(str::to_owned).into();
    words.extend([bytes.to_string(), folder.to_string_lossy().into_owned()]);
    words
}

/// The one child of a wrapper.
fn child_of(wrapper: u32) -> Result<u32> {
    let path = format!("/proc/{wrapper}/task/{wrapper}/children");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    text.split_whitespace().next().and_then(|word| word.parse().ok()).with_context(|| format!("{path} is empty"))
}

/// Sends a signal to a process that this harness started.
///
/// # Errors
/// When the process is gone.
pub fn signal(id: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { bail!("no process {id} to signal") }
}
