//! The thread that looks at the inventory: apart from sampling, which a dead network mount under a configured path must not hold up.

use std::collections::BTreeSet;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Duration;

use muster_common::inventory::Digest;
use muster_common::time;
use muster_common::wire::inventory::InventoryReport;

use super::InventoryConfig;
use super::scene::Scene;
use super::schedule::Schedule;
use super::sources::{DATABASES, SOURCES, UNIT_FOLDERS, look};
use super::teller::{Taken, Teller};
use super::watch::{Heard, Watch};
use crate::own::Own;

/// Words that may wait while a look takes its time.
const WORDS_MAX: usize = 64;
/// Reads of files and parsing; certificates are the deepest that it does.
const STACK_BYTES: usize = 1 << 20;
/// Notes that are remembered so that each is logged once.
const NOTES_MAX: usize = 256;

/// Looks at once after which memory is given back: those at the start, and after a package came. Each minute there are fewer.
const MANY_LOOKS: usize = 5;

/// What the session says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Welcome(Vec<(u8, Digest)>),
    Wanted(Vec<u8>),
}

/// The handle. Dropping it ends the thread after the look that it is at.
#[derive(Debug)]
pub struct InventoryWorker {
    words: SyncSender<Word>,
    wake: PipeWriter,
    own: Arc<Own>,
}

impl InventoryWorker {
    /// Starts the thread, which says reports once it has been told what the collector has. `say` may wait.
    ///
    /// # Errors
    /// When no pipe or thread can be made.
    pub fn start(
        config: InventoryConfig,
        own: Arc<Own>,
        say: impl Fn(InventoryReport) + Send + 'static,
    ) -> std::io::Result<Self> {
        let scene = Scene::of_host(&config);
        Self::start_over(scene, config.interval, own, say)
    }

    /// Over a scene, as tests make one.
    pub(super) fn start_over(
        scene: Scene,
        interval: Duration,
        own: Arc<Own>,
        say: impl Fn(InventoryReport) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (words, heard) = sync_channel(WORDS_MAX);
        let (woken, wake) = std::io::pipe()?;
        let counts = Arc::clone(&own);
        let body = move || {
            let worker = Worker {
                watch: Watch::new(&scene.path("proc")),
                scene,
                schedule: Schedule::new(interval, time::monotonic()),
                teller: Teller::default(),
                own: counts,
                said: BTreeSet::new(),
            };
            worker.run(interval, &heard, woken, say);
        };
        std::thread::Builder::new().name("muster-inventory".to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { words, wake, own })
    }

    /// What the collector has, by table number; before this nothing is told. Later calls of the same process change nothing.
    pub fn welcome(&self, digests: Vec<(u8, Digest)>) {
        self.tell(Word::Welcome(digests));
    }

    /// The collector lacks what it needs of these tables and wants them whole.
    pub fn wanted(&self, tables: Vec<u8>) {
        self.tell(Word::Wanted(tables));
    }

    fn tell(&self, word: Word) {
        match self.words.try_send(word) {
            // At most as many bytes as words wait in the pipe, which has room for them.
            Ok(()) => drop((&self.wake).write_all(b"w")),
            Err(TrySendError::Full(_)) => self.own.inventory_words_dropped.add(1),
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

struct Worker {
    scene: Scene,
    schedule: Schedule,
    teller: Teller,
    watch: Watch,
    own: Arc<Own>,
    /// Problems and notes that were logged.
    said: BTreeSet<String>,
}

impl Worker {
    fn run(mut self, interval: Duration, words: &Receiver<Word>, mut woken: PipeReader, say: impl Fn(InventoryReport)) {
        let mut gather_at = time::monotonic() + interval;
        loop {
            let limit = self.schedule.next().min(gather_at).saturating_sub(time::monotonic());
            let heard = self.watch.wait(woken.as_fd(), limit);
            let now = time::monotonic();
            for place in heard.iter().flat_map(|heard| places_of(&self.scene, heard)) {
                self.schedule.hear(place, now);
            }
            loop {
                match words.try_recv() {
                    Ok(word) => {
                        // One byte a word, which is written once the word is sent.
                        if woken.read_exact(&mut [0]).is_err() {
                            return;
                        }
                        self.obey(word, now);
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let due = self.schedule.take(now);
            self.look(&due);
            if now >= gather_at {
                self.teller.gather();
                gather_at = now + interval;
            }
            for report in self.teller.take() {
                self.own.inventory_reports.add(1);
                say(report);
            }
        }
    }

    fn obey(&mut self, word: Word, now: Duration) {
        match word {
            Word::Welcome(digests) => self.teller.welcome(&digests),
            Word::Wanted(tables) => {
                for table in self.teller.wanted(&tables) {
                    if let Some(place) = SOURCES.iter().position(|source| source.table.number == table) {
                        self.schedule.want(place, now);
                    }
                }
            }
        }
    }

    /// Looks at the tables at these places, and has what was found told together.
    fn look(&mut self, places: &[usize]) {
        let now_ms = |own: &Own| time::now().millis().saturating_add(own.clock_correction_ms.value());
        let begun_ms = now_ms(&self.own);
        let mut looks = Vec::with_capacity(places.len());
        for source in places.iter().filter_map(|place| SOURCES.get(*place)) {
            let found = look(&self.scene, source).map_err(|problem| problem.to_string());
            self.own.inventory_looks.add(1);
            if let Err(problem) = &found {
                self.own.inventory_failures.add(1);
                self.log(source.table.name, problem.clone());
            }
            for note in self.scene.take_notes() {
                self.log(source.table.name, note);
            }
            if ["files", "certificates", "packages"].contains(&source.table.name) {
                let folders = folders(&self.scene);
                self.watch.set(&folders);
            }
            looks.push((source.table.number, found));
        }
        // A clock that is set back in between makes no look end before it began.
        let taken = Taken { begun_ms, ended_ms: now_ms(&self.own).max(begun_ms) };
        for (table, found) in looks {
            self.teller.look(table, taken, found);
        }
        if places.len() >= MANY_LOOKS {
            give_back();
        }
    }

    /// Says each text once, as far as it can be remembered that it was.
    fn log(&mut self, table: &str, text: String) {
        let text = format!("inventory, table {table}: {text}");
        if self.said.len() < NOTES_MAX && !self.said.contains(&text) {
            tracing::warn!("{text}");
            self.said.insert(text);
        }
    }
}

/// systemd keeps a link there for each unit that runs, made when it starts and removed when it has ended or failed (systemd, core/unit.c:
/// `unit_export_state_files`, `unit_unlink_state_files`). Anybody may watch the folder, which needs no connection to the bus.
const UNITS_RUNNING: &str = "run/systemd/units";

/// Gives the system back what looks took and have freed, which the allocator keeps for this thread otherwise.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "no crate at hand has this call")]
pub(crate) fn give_back() {
    // SAFETY: it takes no pointer, and may be called by any thread at any time (malloc_trim(3)).
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back() {}

/// Folders in which changes mean something, below the scene's root.
fn folders(scene: &Scene) -> BTreeSet<PathBuf> {
    let parent = |path: &str| scene.path(path).parent().map(Path::to_path_buf);
    let mut folders: BTreeSet<PathBuf> = DATABASES.iter().filter_map(|path| parent(path)).collect();
    folders.extend(
        [DATABASES[1], DATABASES[4], "etc", UNITS_RUNNING]
            .into_iter()
            .chain(UNIT_FOLDERS)
            .map(|folder| scene.path(folder)),
    );
    let memory = scene.memory.borrow();
    let found = memory.folders.values().flatten();
    folders.extend(found.map(|folder| scene.root().join(folder.strip_prefix("/").unwrap_or(folder))));
    folders
}

/// The places among [`SOURCES`] of the tables that this may have changed.
fn places_of(scene: &Scene, heard: &Heard) -> Vec<usize> {
    let place = |name: &str| SOURCES.iter().position(|source| source.table.name == name);
    let names: Vec<&str> = match heard {
        Heard::Everything => return (0..SOURCES.len()).collect(),
        Heard::Mounts => vec!["mounts"],
        Heard::Path { path, is_folder } => {
            let inner = path.strip_prefix(scene.root()).unwrap_or(path);
            names_of(scene, &Path::new("/").join(inner), *is_folder)
        }
    };
    names.into_iter().filter_map(place).collect()
}

fn names_of(scene: &Scene, path: &Path, is_folder: bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    let inner = path.strip_prefix("/").unwrap_or(path);
    let is_in = |folder: &str| inner.starts_with(folder);
    if DATABASES.iter().any(|database| inner == Path::new(database) || (is_folder_of(database) && is_in(database))) {
        // A package brings units and configuration, whose folders may not have been there to be watched.
        names.extend(["packages", "units", "timers", "files", "certificates"]);
    }
    if UNIT_FOLDERS.iter().any(|folder| is_in(folder)) {
        names.extend(["units", "timers"]);
    }
    if is_in(UNITS_RUNNING) {
        names.push("units");
    }
    match inner.to_str() {
        Some("etc/passwd") => names.push("users"),
        Some("etc/group") => names.push("groups"),
        Some("etc/resolv.conf") => names.push("resolvers"),
        Some("etc/os-release" | "etc/debian_version" | "etc/localtime" | "etc/timezone" | "etc/machine-id") => {
            names.push("os");
        }
        _ => {}
    }
    let memory = scene.memory.borrow();
    let holds = |table: &str| memory.folders.get(table).is_some_and(|all| all.iter().any(|one| path.starts_with(one)));
    // A folder that came may hold files that match.
    if scene.files.iter().any(|glob| glob.matches(path)) || (is_folder && holds("files")) {
        names.push("files");
    }
    if scene.certificates.iter().any(|glob| glob.matches(path)) || (is_folder && holds("certificates")) {
        names.push("certificates");
    }
    names
}

/// Databases that have a file a package.
fn is_folder_of(database: &str) -> bool {
    database == DATABASES[1] || database == DATABASES[4]
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use muster_common::wire::inventory::InventoryWord;

    use super::*;
    use crate::testing::Tree;

    #[test]
    fn what_is_heard_leads_to_its_tables() {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::below(folder.path(), &InventoryConfig::default());
        let names = |path: &str| names_of(&scene, Path::new(path), false).join(" ");
        for (path, tables) in [
            ("/var/lib/dpkg/status", "packages units timers files certificates"),
            ("/var/lib/dpkg/lock", ""),
            ("/var/lib/dpkg/status.d/base", "packages units timers files certificates"),
            ("/etc/systemd/system/x.service", "units timers files"),
            ("/usr/lib/systemd/system/x.timer", "units timers"),
            ("/run/systemd/units/invocation:nginx.service", "units"),
            ("/etc/passwd", "users files"),
            ("/etc/group", "groups files"),
            ("/etc/shadow", ""),
            ("/etc/resolv.conf", "resolvers files"),
            ("/etc/localtime", "os"),
            ("/etc/nginx/conf.d/a.conf", "files"),
            ("/etc/nginx/a.pem", "certificates"),
            ("/etc/ld.so.cache", ""),
        ] {
            assert_eq!(names(path), tables, "{path}");
        }
        scene.memory.borrow_mut().folders.insert("files", vec![PathBuf::from("/etc")]);
        assert_eq!(names_of(&scene, Path::new("/etc/new"), true), ["files"]);
        assert_eq!(places_of(&scene, &Heard::Everything).len(), SOURCES.len());
        let mounts = places_of(&scene, &Heard::Mounts);
        assert_eq!(SOURCES[mounts[0]].table.name, "mounts");
        assert!(folders(&scene).contains(&folder.path().join("var/lib/dpkg")));
    }

    #[test]
    fn a_change_is_told_soon_and_alone() {
        let tree = Tree::new(&[
            ("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
            ("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n"),
            ("etc/nginx/nginx.conf", "one"),
        ]);
        let (say, reports) = sync_channel(1_000);
        let scene = Scene::below(&tree.path(""), &InventoryConfig::default());
        let own = Arc::new(Own::default());
        let worker = InventoryWorker::start_over(scene, Duration::from_secs(900), own, move |report| {
            drop(say.try_send(report));
        })
        .unwrap();
        worker.welcome(Vec::new());
        let next = |wanted: u8| loop {
            let report: InventoryReport = reports.recv_timeout(Duration::from_secs(60)).unwrap();
            if let Some(table) = report.tables.iter().find(|table| table.table == wanted) {
                return (table.word.clone(), report.at_ms, report.since_ms);
            }
        };
        let number = |name: &str| muster_common::inventory::named(name).unwrap().number;
        // Folders are watched once the files were looked at.
        assert!(matches!(next(number("files")).0, InventoryWord::Whole { .. }));
        for (path, text, table, gone, now) in [
            ("etc/nginx/nginx.conf", "two", "files", 0, 1),
            ("etc/passwd", "ann:x:1:1::/:/bin/sh\n", "users", 1, 1),
            ("var/lib/dpkg/status", "Package: b\nStatus: install ok installed\nVersion: 1\n", "packages", 1, 1),
        ] {
            tree.write(&format!("{path}-new"), text);
            std::fs::rename(tree.path(&format!("{path}-new")), tree.path(path)).unwrap();
            let (word, at_ms, since_ms) = next(number(table));
            let InventoryWord::Changed { gone: left, now: came, .. } = word else { panic!("{table}: {word:?}") };
            assert_eq!((left.len(), came.len()), (gone, now), "{table}");
            assert!(0 < since_ms && since_ms < at_ms);
        }
    }

    #[test]
    fn the_thread_tells_this_host_once_it_knows_what_the_collector_has() {
        let (say, reports) = sync_channel(1_000);
        let own = Arc::new(Own::default());
        let worker = InventoryWorker::start(InventoryConfig::default(), Arc::clone(&own), move |report| {
            drop(say.try_send(report));
        })
        .unwrap();
        worker.welcome(Vec::new());
        let mut tables = BTreeSet::new();
        while tables.len() < SOURCES.len() {
            let report = reports.recv_timeout(Duration::from_secs(60)).unwrap();
            tables.extend(report.tables.iter().map(|table| table.table));
        }
        // Those wanted again come whole, although nothing changed.
        worker.wanted(vec![17]);
        let is_it = |report: &InventoryReport| {
            let mut tables = report.tables.iter();
            tables.any(|table| table.table == 17 && matches!(table.word, InventoryWord::Whole { part: 0, .. }))
        };
        while !is_it(&reports.recv_timeout(Duration::from_secs(60)).unwrap()) {}
        assert!(own.inventory_looks.value() >= 21 && own.inventory_reports.value() >= 2);
        drop(worker);
        // The thread ends, and its end of the channel with it.
        while reports.recv_timeout(Duration::from_secs(60)).is_ok() {}
    }
}
