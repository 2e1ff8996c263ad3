//! nginx and haproxy, as Debian has them, with folders and ports of their own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::LIMIT;
use crate::harness::agent::until;
use crate::harness::collector::signal;
use crate::harness::http::Connection;
use crate::harness::programs;

/// How soon a server begins and ends after it is told to.
const LOOK: Duration = Duration::from_millis(20);

/// A file of the example.
pub(super) fn example(name: &str) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let path = root.join("packaging/examples/rolling-restart").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The example's file with each of these words exchanged.
fn exchanged(name: &str, words: &[(&str, &str)]) -> Result<String> {
    let mut text = example(name)?;
    for (from, to) in words {
        ensure!(text.contains(from), "{name} of the example has no `{from}`");
        text = text.replace(from, to);
    }
    Ok(text)
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn wait_open(address: SocketAddr) -> Result<()> {
    until("a server that listens", LIMIT, || Ok(TcpStream::connect(address).is_ok().then_some(())))
}

/// nginx under a small service manager: it runs while a file says that it should. Dropping it ends both.
pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    /// `SERVICE start` and `SERVICE stop`, which return when it is done.
    pub(super) service: PathBuf,
    folder: PathBuf,
    is_over: Arc<AtomicBool>,
    stops: Arc<AtomicU32>,
    manager: Option<JoinHandle<()>>,
}

impl Nginx {
    /// Serves the first of these releases. The last one does not say which it is.
    pub(super) fn start(folder: &Path, releases: &[&str]) -> Result<Self> {
        let address = free()?;
        let site = folder.join("site");
        for (number, release) in releases.iter().enumerate() {
            let place = site.join("releases").join(release);
            std::fs::create_dir_all(&place)?;
            let header = if number + 1 == releases.len() { "?" } else { release };
            std::fs::write(place.join("release.conf"), format!("add_header X-Release \"{header}\" always;\n"))?;
            std::fs::write(place.join("index.html"), format!("release {release}\n"))?;
        }
        std::os::unix::fs::symlink(format!("releases/{}", releases[0]), site.join("current"))?;
        let place = site.join("current").display().to_string();
        let listen = format!("listen {address};");
        let server = exchanged("nginx.conf", &[("listen 80;", &listen), ("/srv/site/current", &place)])?;
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()))
            .collect();
        let at = folder.display();
        let whole = format!(
            "user root;\ndaemon off;\npid {at}/pid;\nerror_log {at}/error.log;\nworker_processes 1;\nevents {{ worker_connections 512; }}\n\
             http {{\naccess_log off;\n{paths}{server}}}\n"
        );
        std::fs::write(folder.join("whole.conf"), whole)?;
        let service = folder.join("service");
        let script = format!(
            "#!/bin/sh\ncase $1 in\nstart) : > {at}/wanted; until [ -e {at}/runs ]; do sleep 0.02; done ;;\n\
             stop) rm -f {at}/wanted; while [ -e {at}/runs ]; do sleep 0.02; done ;;\nesac\n"
        );
        std::fs::write(&service, script)?;
        std::fs::set_permissions(&service, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(folder.join("wanted"), "")?;
        let (is_over, stops) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (over, counted, place) = (Arc::clone(&is_over), Arc::clone(&stops), folder.to_owned());
        let manager = std::thread::spawn(move || manage(&place, &over, &counted));
        let nginx = Self { address, service, folder: folder.to_owned(), is_over, stops, manager: Some(manager) };
        wait_open(address).with_context(|| std::fs::read_to_string(folder.join("said")).unwrap_or_default())?;
        Ok(nginx)
    }

    pub(super) fn site(&self) -> PathBuf {
        self.folder.join("site")
    }

    /// How often it was stopped.
    pub(super) fn stops(&self) -> u32 {
        self.stops.load(Ordering::SeqCst)
    }

    /// As the task does it, and nothing else of it.
    pub(super) fn stop(&self) -> Result<()> {
        ensure!(Command::new(&self.service).arg("stop").status()?.success(), "the service stops");
        Ok(())
    }

    /// What it says of itself.
    pub(super) fn release(&self) -> Result<String> {
        let answer = Connection::open(self.address)?.request("GET", "/", &["Connection: close".to_owned()], b"")?;
        answer.header("x-release").map(str::to_owned).context("no release")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(manager) = self.manager.take() {
            let _ = manager.join();
        }
    }
}

/// Starts and stops it as the file says, until it is over.
fn manage(folder: &Path, is_over: &AtomicBool, stops: &AtomicU32) {
    let (wanted, runs) = (folder.join("wanted"), folder.join("runs"));
    let mut child: Option<Child> = None;
    while !is_over.load(Ordering::SeqCst) {
        match &mut child {
            None if wanted.exists() => {
                child = spawn(folder).ok();
                if child.is_some() {
                    let _ = std::fs::write(&runs, "");
                }
            }
            Some(running) => {
                if !wanted.exists() {
                    // What it answers just now it answers to its end.
                    let _ = signal(running.id(), "QUIT");
                    let _ = running.wait();
                    stops.fetch_add(1, Ordering::SeqCst);
                }
                if !matches!(running.try_wait(), Ok(None)) {
                    child = None;
                    let _ = std::fs::remove_file(&runs);
                }
            }
            None => {}
        }
        std::thread::sleep(LOOK);
    }
    if let Some(mut running) = child {
        let _ = signal(running.id(), "TERM");
        let _ = running.wait();
    }
}

fn spawn(folder: &Path) -> Result<Child> {
    let said = std::fs::File::options().create(true).append(true).open(folder.join("said"))?;
    let mut command = Command::new(programs::tool("nginx", "usr/sbin/nginx"));
    command.arg("-p").arg(folder).arg("-e").arg(folder.join("error.log")).arg("-c").arg(folder.join("whole.conf"));
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn()?)
}

/// haproxy. Dropping it ends it.
pub(super) struct Balancer {
    /// Where the site is.
    pub(super) site: SocketAddr,
    /// Where it takes commands.
    pub(super) commands: SocketAddr,
    child: Child,
}

impl Balancer {
    pub(super) fn start(folder: &Path, servers: [SocketAddr; 2]) -> Result<Self> {
        let (site, commands) = (free()?, free()?);
        let [one, two] = servers.map(|server| server.to_string());
        let words = [
            ("10.0.0.5:9999", commands.to_string()),
            ("10.0.0.5:80", site.to_string()),
            ("10.0.0.11:80", one),
            ("10.0.0.12:80", two),
            // A request that meets a server which is not there has failed: nothing is to hide it.
            ("defaults\n", "defaults\n    retries 0\n".to_owned()),
        ];
        let words = words.each_ref().map(|(from, to)| (*from, to.as_str()));
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, exchanged("haproxy.cfg", &words)?)?;
        let libraries = [
            programs::tool("liblua5.3-0", "usr/lib/x86_64-linux-gnu/liblua5.3.so.0"),
            programs::tool("libopentracing-c-wrapper0", "usr/lib/x86_64-linux-gnu/libopentracing-c-wrapper.so.0"),
            programs::tool("libopentracing1", "usr/lib/x86_64-linux-gnu/libopentracing.so.1"),
        ];
        let folders = libraries.iter().filter_map(|path| path.parent()).map(|path| path.display().to_string());
        let said = std::fs::File::create(folder.join("haproxy.said"))?;
        // In the foreground, as one process.
        let mut command = Command::new(programs::tool("haproxy", "usr/sbin/haproxy"));
        command.arg("-db").arg("-f").arg(&file).env("LD_LIBRARY_PATH", folders.collect::<Vec<_>>().join(":"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn()?;
        let balancer = Self { site, commands, child };
        let waited = wait_open(site).and_then(|()| wait_open(commands));
        waited.with_context(|| std::fs::read_to_string(folder.join("haproxy.said")).unwrap_or_default())?;
        Ok(balancer)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
