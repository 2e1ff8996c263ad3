//! A host with its own keys, its program, and whoever speaks to it as its agent would.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::task::{Catalogue, Order, SigningKey, Step, Targets};
use muster_common::time;
use muster_common::wire::frame::{Frame, FrameReader, encode};
use muster_common::wire::message::{Message, Throttle, Welcome};
use muster_common::wire::tasks::{
    Task, TaskAck, TaskApproval, TaskCall, TaskCancel, TaskCatalogue, TaskRefusal, TaskState, TaskWord,
};

pub(crate) const HOST: HostId = HostId([0x0a; 16]);
const PROGRAM: &str = env!("CARGO_BIN_EXE_muster-task");
/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A test that were left out would pass.
pub(crate) fn must_be_root(why: &str) {
    assert!(rustix::process::geteuid().is_root(), "run the tests as root: {why}");
}

/// The user that runs this test.
pub(crate) fn own_account() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").expect("the scene works");
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid)).expect("a user of this machine");
    line.split(':').next().expect("the scene works").to_owned()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate_pem().expect("the scene works")).expect("the scene works")
}

/// One task of the catalogue: its limits as TOML lines, its account, and the script that it runs with its parameter.
pub(crate) struct Given {
    pub(crate) name: &'static str,
    pub(crate) script: &'static str,
    pub(crate) account: String,
    pub(crate) limits: &'static str,
}

impl Given {
    pub(crate) fn new(name: &'static str, script: &'static str) -> Self {
        Self { name, script, account: own_account(), limits: "" }
    }
}

pub(crate) struct Host {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) signer: SigningKey,
    pub(crate) anna: SigningKey,
    pub(crate) document: String,
    program: Option<Child>,
    orders: u8,
}

impl Host {
    /// With these tasks, listed, signed, and the program running.
    pub(crate) fn new(tasks: &[Given], settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("the scene works");
        // Other accounts read the scripts.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the scene works");
        let (signer, anna) = (key(), key());
        let mut text = format!(
            "enabled = true\nagent_user = \"{}\"\nfolder = \"{}\"\ncalls_per_minute = 100\nsigners = [\"{}\"]\n{settings}\n[approvers]\nanna = \"{}\"\n",
            own_account(),
            folder.path().join("state").display(),
            signer.public(),
            anna.public()
        );
        let mut document = "version = 3\nexpires = 2099-06-01T00:00:00Z\n".to_owned();
        for Given { name, script, account, limits } in tasks {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("the scene works");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the scene works");
            document.push_str(&format!(
                "[tasks.{name}]\nabout = \"x\"\nargv = [\"{}\", \"{}\", \"{{word}}\"]\naccount = \"{account}\"\n{limits}\n\
                 parameters = {{ word = {{ kind = \"text\", pattern = \"[a-z ]*\" }} }}\n",
                path.display(),
                folder.path().display()
            ));
            text.push_str(&format!("[tasks.{name}]\naccount = \"{account}\"\ntimeout = \"1h\"\noutput_kib = 4096\n"));
        }
        fs::write(folder.path().join("task.toml"), text).expect("the scene works");
        fs::set_permissions(folder.path().join("task.toml"), fs::Permissions::from_mode(0o644))
            .expect("the scene works");
        let mut host = Self { folder, signer, anna, document, program: None, orders: 0 };
        host.start();
        host
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start(&mut self) {
        let _ = fs::remove_file(self.path("sock"));
        let mut command = Command::new(PROGRAM);
        command
            .args(["run", "--log", "debug", "--socket"])
            .arg(self.path("sock"))
            .arg("--config")
            .arg(self.path("task.toml"));
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).expect("the scene works");
        self.program = Some(command.stdin(Stdio::null()).stderr(log).spawn().expect("the scene works"));
    }

    /// Without a word, as a loss of power would.
    pub(crate) fn kill(&mut self) {
        let mut program = self.program.take().expect("the scene works");
        program.kill().expect("the scene works");
        program.wait().expect("the scene works");
    }

    /// By SIGTERM.
    pub(crate) fn stop(&mut self) {
        let mut program = self.program.take().expect("the scene works");
        let pid = rustix::process::Pid::from_child(&program);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the scene works");
        assert!(program.wait().expect("the scene works").success(), "{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Output {
        Command::new(PROGRAM).args(words).arg("--config").arg(self.path("task.toml")).output().expect("the scene works")
    }

    /// Every entry of the audit: event and detail.
    pub(crate) fn audit(&self) -> Vec<(String, String)> {
        let mut entries = Vec::new();
        muster_task::audit::verify(&self.path("state"), |_, entry| entries.push((entry.event, entry.detail)))
            .expect("the scene works");
        entries
    }

    pub(crate) fn offer(&self, document: &str) -> TaskCatalogue {
        let signature = self.signer.sign(&Catalogue::signed_bytes(document)).0;
        TaskCatalogue { document: document.to_owned(), signature, extensions: Vec::new() }
    }

    /// An order of this task for this host, not approved yet.
    pub(crate) fn order(&mut self, task: &str, word: &str) -> Order {
        self.orders += 1;
        Order {
            id: [self.orders; 16],
            catalogue: Catalogue::digest_of(&self.document),
            hosts: 1,
            targets: Targets::new([HOST]).expect("the scene works").root(),
            requester: "user:bob".into(),
            expires_ms: time::now().millis() + 60_000,
            nonce: [self.orders; 16],
            steps: vec![Step { task: task.into(), parameters: BTreeMap::from([("word".into(), word.into())]) }],
        }
    }

    /// What a collector sends of it.
    pub(crate) fn approved(&self, order: &Order) -> Task {
        let text = order.text().expect("the scene works");
        let signature = self.anna.sign(&Order::signed_bytes(&text)).0;
        Task {
            call: TaskCall { order: order.id, step: 0 },
            host: HOST.0,
            order: text,
            proof: Vec::new(),
            approvals: vec![TaskApproval { approver: "anna".into(), signature }],
            extensions: Vec::new(),
        }
    }

    pub(crate) fn task(&mut self, name: &str) -> Task {
        let order = self.order(name, "x");
        self.approved(&order)
    }

    /// A session whose catalogue is in force.
    pub(crate) fn connect(&self) -> Agent {
        let mut agent = Agent::connect(&self.path("sock"));
        agent.say(Message::TaskCatalogue(self.offer(&self.document)));
        let state = agent.state(TaskCall::CATALOGUE, |state| state.word.is_last() || state.word == TaskWord::Accepted);
        assert_eq!(state.word, TaskWord::Accepted, "{}", state.problem);
        agent
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut program) = self.program.take() {
            let _ = program.kill();
            let _ = program.wait();
        }
        if std::thread::panicking() {
            eprintln!("log of muster-task:\n{}", self.log());
        }
    }
}

/// What the agent is to it.
pub(crate) struct Agent {
    stream: UnixStream,
    reader: FrameReader,
    /// Output by call, in the order told.
    pub(crate) output: BTreeMap<TaskCall, Vec<(u32, String)>>,
    acks: bool,
}

impl Agent {
    /// Waits until the program listens.
    pub(crate) fn connect(socket: &Path) -> Self {
        let until = time::monotonic() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) => assert!(time::monotonic() < until, "{error}"),
            }
            std::thread::yield_now();
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("the scene works");
        let mut agent = Self { stream, reader: FrameReader::new(), output: BTreeMap::new(), acks: true };
        agent.say(Message::Welcome(Welcome {
            host_id: HOST.0,
            host_name: "db1".into(),
            store_id: [2; 16],
            incarnation: 0,
            clock_ms: 0,
            marks: Vec::new(),
            position_pages: 0,
            lanes: 0,
            throttle: Throttle::default(),
            extensions: Vec::new(),
        }));
        agent
    }

    /// Acknowledges nothing from now on.
    pub(crate) fn hold_acks(&mut self) {
        self.acks = false;
    }

    pub(crate) fn say(&mut self, message: Message) {
        self.say_bytes(&encode(&Frame::control(message)).expect("the scene works"));
    }

    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the scene works");
    }

    /// The next frame; `None`: the connection has ended.
    pub(crate) fn hear(&mut self) -> Option<Message> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(frame) = self.reader.next().expect("the scene works") {
                return Some(frame.message);
            }
            let read = match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                read => read.expect("an answer in time"),
            };
            self.reader.push(&buffer[..read]);
        }
    }

    /// Listens, acknowledging, until this call stands as wanted.
    pub(crate) fn state(&mut self, call: TaskCall, wanted: impl Fn(&TaskState) -> bool) -> TaskState {
        loop {
            let message = self.hear().expect("the program goes on");
            let (of, state) = match message {
                Message::TaskState(state) => (state.call, Some(state)),
                Message::TaskOutput(output) => {
                    let (of, chunk) = (output.call, (output.chunk, output.text));
                    self.output.entry(of).or_default().push(chunk);
                    (of, None)
                }
                other => panic!("{other:?}"),
            };
            if self.acks && of != TaskCall::CATALOGUE {
                let chunks = self.output.get(&of).map_or(0, |chunks| chunks.last().map_or(0, |(number, _)| number + 1));
                let number = state.as_ref().map_or(0, |state| state.number);
                self.say(Message::TaskAck(TaskAck { call: of, state: number, chunks, extensions: Vec::new() }));
            }
            if let Some(state) = state.filter(|state| state.call == call && wanted(state)) {
                return state;
            }
        }
    }

    /// Sends it once more and gives how it stands.
    pub(crate) fn again(&mut self, task: &Task) -> TaskState {
        self.say(Message::Task(task.clone()));
        self.state(task.call, |_| true)
    }

    /// Sends it and listens to its end, output included.
    pub(crate) fn run(&mut self, task: &Task) -> (TaskState, String) {
        self.say(Message::Task(task.clone()));
        let state = self.state(task.call, |state| state.word.is_last());
        let text = self.all_output(&state);
        (state, text)
    }

    pub(crate) fn all_output(&mut self, state: &TaskState) -> String {
        let told = |agent: &Self| agent.output.get(&state.call).map_or(0, Vec::len);
        while told(self) < state.chunks as usize {
            if let Some(Message::TaskOutput(output)) = self.hear() {
                let chunk = output.chunk;
                self.output.entry(output.call).or_default().push((chunk, output.text));
                self.say(Message::TaskAck(TaskAck {
                    call: output.call,
                    state: state.number,
                    chunks: chunk + 1,
                    extensions: Vec::new(),
                }));
            }
        }
        let chunks = self.output.remove(&state.call).unwrap_or_default();
        assert!(chunks.iter().map(|(number, _)| *number).eq(0..state.chunks), "each once and in order");
        chunks.into_iter().map(|(_, text)| text).collect()
    }

    pub(crate) fn refused(&mut self, task: &Task) -> TaskRefusal {
        self.say(Message::Task(task.clone()));
        let state = self.state(task.call, |_| true);
        match state.word {
            TaskWord::Refused { why } => why,
            other => panic!("{other:?}: {}", state.problem),
        }
    }

    pub(crate) fn cancel(&mut self, call: TaskCall) {
        self.say(Message::TaskCancel(TaskCancel { call, reason: "user:bob".into(), extensions: Vec::new() }));
    }
}
