//! The pages in a real browser: Chromium opens those of a real collector, to which real agents report. What is tested of a page stands in
//! `collector/web/ui/tests/pages`, a file a page; all files there are run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use muster_tests::harness::agent::{Agent, AgentHome, muster, token, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

const USER: &str = "ann";
const PASSWORD: &str = "correct horse battery";
/// Longer than a start takes on a starved machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Hosts, each with a label of its own.
const HOSTS: [(&str, &str); 2] = [("web-1", "role=web"), ("db-1", "role=db")];
/// Whom to tell, so that alerts have receivers: a webhook that nobody hears.
const ALERTING: &str = "route:\n  receiver: ops\n  group_by: [alertname, host]\n  group_wait: 0s\n  group_interval: 1s\n  \
     repeat_interval: 4h\nreceivers:\n- name: ops\n";
/// A service of both hosts, which goes to one environment after another: the hosts are in `prod` until a test moves one.
const DEPLOYS: &str = "[[services]]\nname = \"shop\"\nhosts = [\"team=shop\"]\n\n[gate]\nprod = { after = [\"staging\"], soak = \"30m\" }\n";
/// Lines of logs to look at, of two levels and one hostile.
const LINES: usize = 300;

/// A collector with what pages show: hosts, metrics, log lines, a user.
struct World {
    collector: Collector,
    _agents: Vec<Agent>,
    folder: tempfile::TempDir,
    programs: PathBuf,
}

impl World {
    fn start() -> Self {
        let (programs, folder) = (programs::folder(), tempfile::tempdir().unwrap());
        let alerting = folder.path().join("alerting.yml");
        std::fs::write(&alerting, ALERTING).unwrap();
        let deploys = folder.path().join("deploy.toml");
        std::fs::write(&deploys, DEPLOYS).unwrap();
        let mut options = Options::new(&programs, &folder.path().join("data"));
        options.arguments = vec!["--alerting".to_owned(), alerting.to_string_lossy().into_owned()];
        options.arguments.extend(["--set".to_owned(), format!("deploys.file={}", deploys.display())]);
        let collector = Collector::start(&options).unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        let password = password.to_string_lossy().into_owned();
        let add = ["user", "add", USER, "--role", "admin", "--password-file", &password];
        let (code, _, error) = muster(&programs, &collector, &add).unwrap();
        assert_eq!(code, 0, "{error}");
        let agents = HOSTS.map(|(name, label)| agent(&programs, &collector, folder.path(), name, label)).into();
        let world = Self { collector, _agents: agents, folder, programs };
        world.wait();
        world
    }

    /// Until there is something of everything.
    fn wait(&self) {
        for (name, _) in HOSTS {
            let load = format!("node_load1{{host=\"{name}\"}}");
            until("the first sample", LIMIT, || Ok(self.collector.query(&load, None)?.pop())).unwrap();
        }
        let path = "/loki/api/v1/labels";
        until("the first lines", LIMIT, || {
            let json = self.collector.get(path)?.json()?;
            let labels = json["data"].as_array().cloned().unwrap_or_default();
            Ok(labels.iter().any(|label| label == "app").then_some(()))
        })
        .unwrap();
    }

    /// Runs the tests of all pages; what they print, and whether nothing was wrong.
    fn visit(&self) -> (bool, String) {
        let ui = root().join("collector/web/ui");
        let mut command = Command::new("node");
        command.arg("tests/pages.mjs").current_dir(&ui).stdin(Stdio::null());
        command.env("MUSTER_URL", format!("http://{}", self.collector.http));
        command.env("MUSTER_USER", USER).env("MUSTER_PASSWORD", PASSWORD);
        command.env("MUSTER_TOKEN", &self.collector.token);
        command.env("MUSTER_PROGRAMS", &self.programs).env("MUSTER_STATES", self.folder.path());
        command.env("MUSTER_OUT", root().join("target/pages"));
        let output = command.output().expect("node is needed: `cargo xtask test` installs it");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        let _ = write!(text, "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// An agent that samples each second and tails a log.
fn agent(programs: &Path, collector: &Collector, folder: &Path, name: &str, label: &str) -> Agent {
    let words = ["--name", name, "--label", label, "--label", "env=prod", "--label", "team=shop"];
    let word = token(programs, collector, &words).unwrap();
    let home = AgentHome { programs: programs.to_path_buf(), state: folder.join(name), name: name.to_owned() };
    let (code, _, error) = home.enrol_with(&collector.agents.to_string(), &word).unwrap();
    assert_eq!(code, 0, "{error}");
    let (log, config) = (folder.join(format!("{name}.app.log")), folder.join(format!("{name}.toml")));
    std::fs::write(&log, lines(name)).unwrap();
    // Files that tests write: of this host, and the same of all.
    let watched = [name, "shared"].map(|one| folder.join(format!("{one}.watched")));
    for one in &watched {
        std::fs::create_dir_all(one).unwrap();
    }
    let [own, shared] = watched.map(|one| one.join("*"));
    let text = format!(
        "[[logs]]\npaths = [{:?}]\nfrom = \"start\"\nlabels = {{ app = \"shop\" }}\n\n[inventory]\nfiles = [{:?}, {:?}]\n",
        log.display(),
        own.display(),
        shared.display()
    );
    std::fs::write(&config, text).unwrap();
    let settings =
        ["--set", "metrics.interval=1s", "--set", "processes.interval=5s", "--config", &config.to_string_lossy()]
            .map(str::to_owned);
    home.start_with(&settings).unwrap()
}

fn lines(name: &str) -> String {
    let line = |number: usize| match number % 50 {
        7 => format!("level=error {name} order {number} failed: no stock\n"),
        13 => format!("level=warn {name} <img src=x onerror=alert({number})> order {number}\n"),
        _ => format!("level=info {name} order {number} is paid\n"),
    };
    (0..LINES).map(line).collect()
}

#[test]
fn every_page_works_in_a_browser() {
    let built = root().join("collector/web/dist/index.html");
    assert!(built.is_file(), "the pages are not built: `cargo xtask web` builds them");
    let (passed, text) = World::start().visit();
    assert!(passed, "{text}");
    // Each file there, so that none is passed over.
    let files = std::fs::read_dir(root().join("collector/web/ui/tests/pages")).unwrap();
    let pages: Vec<String> =
        files.filter_map(|file| file.unwrap().file_name().to_str()?.strip_suffix(".ts").map(str::to_owned)).collect();
    assert!(pages.len() >= 19, "{pages:?}");
    for page in pages {
        assert!(text.contains(&format!("ok {page} ")), "{page}: {text}");
    }
}
