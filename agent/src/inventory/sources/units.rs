//! Units of systemd: over the system bus, which knows how they are, else by their files.
//!
//! Left out is what comes and goes with devices, logins and containers (devices, slices, scopes, mounts, which have a table, and services of
//! one user's session), and names that are only wanted by others.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::inventory::Rows;

use super::unit_files::{self, FOLDERS};
use super::{Problem, Scene, ask};
use crate::checks::native::bus::{self, Answer, Method};

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const SYSTEMD: &str = "org.freedesktop.systemd1";
const OBJECT: &str = "/org/freedesktop/systemd1";
const PLACE: &str = "systemd on the system bus";
/// It answers within milliseconds unless it reads all its files again.
const LIMIT: Duration = Duration::from_secs(10);
/// An answer: 1,000 units have some 300 kB.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// One unit that systemd has loaded: name, description, and its three states.
struct Loaded {
    name: String,
    description: String,
    states: [String; 3],
}

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let loaded = if scene.bus.exists() { Some(ask(PLACE, LIMIT, ask_units(scene))) } else { None };
    match loaded {
        Some(Ok(loaded)) => {
            let states = file_states(scene)?;
            by_bus(scene, loaded, &states, rows)
        }
        // A bus without systemd, or one that does not let this user in: the files say what there is.
        Some(Err(problem)) if !scene.path("run/systemd/system").exists() => {
            scene.note(problem.to_string());
            by_files(scene, rows)
        }
        Some(Err(problem)) => Err(problem),
        None => by_files(scene, rows),
    }
}

fn is_told(name: &str) -> bool {
    const KINDS: [&str; 7] = [".service", ".socket", ".target", ".timer", ".path", ".automount", ".swap"];
    const SESSIONS: [&str; 2] = ["user@", "user-runtime-dir@"];
    KINDS.iter().any(|end| name.ends_with(end)) && !SESSIONS.iter().any(|start| name.starts_with(start))
}

fn by_bus(
    scene: &Scene,
    loaded: Vec<Loaded>,
    states: &BTreeMap<String, String>,
    rows: &mut Rows,
) -> Result<(), Problem> {
    let files = unit_files::find(scene)?;
    // Of an instance it is its template's file.
    let template = |name: &str| {
        let (head, end) = (name.split_once('@')?.0, name.rsplit_once('.')?.1);
        Some(format!("{head}@.{end}"))
    };
    let path = |name: &str| {
        let file = files.get(name).or_else(|| files.get(&template(name)?));
        file.map(|file| file.path.clone())
    };
    for Loaded { name, description, states: [load, active, sub] } in loaded {
        if !is_told(&name) || (load == "not-found" && active == "inactive") {
            continue;
        }
        let (state, path) = (states.get(&name).cloned(), path(&name));
        rows.add([name.into(), description.into(), load.into(), active.into(), sub.into(), state.into(), path.into()]);
    }
    // What is installed and not loaded; the first of equal names stays.
    for (name, file) in files.iter().filter(|(name, _)| is_told(name)) {
        let state = states.get(name).cloned();
        rows.add([
            name.as_str().into(),
            None::<String>.into(),
            None::<String>.into(),
            "inactive".into(),
            None::<String>.into(),
            state.into(),
            file.path.as_str().into(),
        ]);
    }
    Ok(())
}

fn by_files(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    let enabled = unit_files::enabled(scene)?;
    let files = unit_files::find(scene)?;
    // Those of files that are gone; the others are read once more.
    if scene.memory.borrow().unit_heads.len() > files.len() {
        scene.memory.borrow_mut().unit_heads.clear();
    }
    for (name, file) in files.iter().filter(|(name, _)| is_told(name)) {
        let head = file.head(scene);
        let state = file.state(name, &enabled, &head);
        rows.add([
            name.as_str().into(),
            head.description.into(),
            None::<String>.into(),
            None::<String>.into(),
            None::<String>.into(),
            state.into(),
            file.path.as_str().into(),
        ]);
    }
    Ok(())
}

/// What systemd says of the files, asked again only when a folder of them changed: it reads all of them for it.
fn file_states(scene: &Scene) -> Result<BTreeMap<String, String>, Problem> {
    let wants = ["etc/systemd/system/multi-user.target.wants", "etc/systemd/system/timers.target.wants"];
    let folders = FOLDERS.into_iter().chain(wants).chain(["etc/systemd/system/sockets.target.wants"]);
    let stamps: Vec<_> = folders.map(|folder| scene.stamp(folder)).collect();
    if let Some((before, states)) = &scene.memory.borrow().unit_states
        && *before == stamps
    {
        return Ok(states.clone());
    }
    let states = ask(PLACE, LIMIT, async {
        let answer = call(scene, "ListUnitFiles").await?;
        let mut reader = answer.reader();
        let mut states = BTreeMap::new();
        let end = reader.array(8).ok_or_else(misread)?;
        while reader.at() < end {
            reader.align(8);
            let (Some(path), Some(state)) = (reader.text(), reader.text()) else { return Err(misread()) };
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            states.insert(name, state);
        }
        Ok(states)
    })?;
    scene.memory.borrow_mut().unit_states = Some((stamps, states.clone()));
    Ok(states)
}

async fn ask_units(scene: &Scene) -> Result<Vec<Loaded>, Problem> {
    let answer = call(scene, "ListUnits").await?;
    let mut reader = answer.reader();
    let mut loaded = Vec::new();
    let end = reader.array(8).ok_or_else(misread)?;
    while reader.at() < end {
        reader.align(8);
        let mut text = || reader.text().ok_or_else(misread);
        let (name, description) = (text()?, text()?);
        let states = [text()?, text()?, text()?];
        // The unit that it follows, its object, its job: number, kind, object.
        let (_, _) = (text()?, text()?);
        reader.number().ok_or_else(misread)?;
        let (Some(_), Some(_)) = (reader.text(), reader.text()) else { return Err(misread()) };
        loaded.push(Loaded { name, description, states });
    }
    Ok(loaded)
}

async fn call(scene: &Scene, member: &str) -> Result<Answer, Problem> {
    let method = Method { destination: SYSTEMD, path: OBJECT, interface: MANAGER, member };
    let called = bus::call(&scene.bus, method, ANSWER_BYTES_MAX).await;
    called.map_err(|error| Problem { place: PLACE.to_owned(), problem: error.to_string() })
}

fn misread() -> Problem {
    Problem { place: PLACE.to_owned(), problem: "says what is not understood".to_owned() }
}
