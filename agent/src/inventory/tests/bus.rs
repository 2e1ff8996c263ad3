//! Units as a bus tells them, played here.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use super::*;

/// A body in the making, in this machine's byte order.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_ne_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(u32::try_from(text.len()).unwrap());
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    /// As an array of structures.
    fn array(self) -> Vec<u8> {
        // Length, and room to the next multiple of 8.
        [&u32::try_from(self.0.len()).unwrap().to_ne_bytes()[..], &[0; 4], &self.0].concat()
    }
}

fn units(units: &[[&str; 5]]) -> Vec<u8> {
    let mut body = Body::default();
    for unit in units {
        body.align(8);
        unit.iter().for_each(|text| body.text(text));
        ["", "/org/freedesktop/systemd1/unit/x"].iter().for_each(|text| body.text(text));
        body.number(0);
        ["", "/"].iter().for_each(|text| body.text(text));
    }
    body.array()
}

fn files(files: &[[&str; 2]]) -> Vec<u8> {
    let mut body = Body::default();
    for file in files {
        body.align(8);
        file.iter().for_each(|text| body.text(text));
    }
    body.array()
}

/// A bus whose clients each call one method; its name is told. A method that is not among the answers is an error.
fn bus(socket: &Path, answers: Vec<(&'static str, Vec<u8>)>) -> Receiver<String> {
    let (say, asked) = sync_channel(100);
    let listener = UnixListener::bind(socket).unwrap();
    let own = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let (mut reader, mut writer) = (BufReader::new(stream.try_clone().unwrap()), stream);
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            writer.write_all(b"OK 1234deadbeef\r\n").unwrap();
            reader.read_line(&mut line).unwrap();
            let mut head = [0; 16];
            while reader.read_exact(&mut head).is_ok() {
                let length = own(&head[12..]).next_multiple_of(8) + own(&head[4..8]);
                let mut rest = vec![0; length as usize];
                reader.read_exact(&mut rest).unwrap();
                let text = String::from_utf8_lossy(&rest).into_owned();
                // `ListUnits` stands in `ListUnitFiles` too: the name ends with a zero.
                let found = answers.iter().find(|(name, _)| text.contains(&format!("{name}\0")));
                let (kind, body) = match found {
                    Some((_, body)) => (2, body.clone()),
                    None if text.contains("Hello\0") => (2, Vec::new()),
                    None => (3, Vec::new()),
                };
                if !text.contains("Hello\0") {
                    say.send(found.map_or("?", |(name, _)| name).to_owned()).unwrap();
                }
                let order = if cfg!(target_endian = "little") { b'l' } else { b'B' };
                let mut reply = vec![order, kind, 1, 1];
                reply.extend(u32::try_from(body.len()).unwrap().to_ne_bytes());
                reply.extend(7u32.to_ne_bytes());
                reply.extend(8u32.to_ne_bytes());
                reply.extend([5, 1, b'u', 0]);
                reply.extend(&head[8..12]);
                reply.extend(body);
                // A client that was told enough has gone.
                drop(writer.write_all(&reply));
            }
        }
    });
    asked
}

fn tree() -> Tree {
    Tree::new(&[
        ("usr/lib/systemd/system/nginx.service", ""),
        ("usr/lib/systemd/system/getty@.service", ""),
        ("usr/lib/systemd/system/idle.service", ""),
        ("run/systemd/system/x", ""),
    ])
}

#[test]
fn the_bus_tells_how_units_are_and_their_files_are_asked_for_once() {
    let tree = tree();
    let mut scene = scene(&tree);
    scene.bus = tree.path("bus");
    let listed = units(&[
        ["nginx.service", "Web \u{fc}server", "loaded", "active", "running"],
        ["getty@tty1.service", "Getty", "loaded", "failed", "failed"],
        ["dev-vda.device", "x", "loaded", "active", "plugged"],
        ["user@1000.service", "x", "loaded", "active", "running"],
        ["wanted.service", "wanted.service", "not-found", "inactive", "dead"],
    ]);
    let states =
        files(&[["/usr/lib/systemd/system/nginx.service", "enabled"], ["/etc/systemd/system/idle.service", "masked"]]);
    let asked = bus(&scene.bus, vec![("ListUnits", listed), ("ListUnitFiles", states)]);
    let expect = [
        "getty@.service|-|-|inactive|-|-|/usr/lib/systemd/system/getty@.service",
        "getty@tty1.service|Getty|loaded|failed|failed|-|/usr/lib/systemd/system/getty@.service",
        "idle.service|-|-|inactive|-|masked|/usr/lib/systemd/system/idle.service",
        "nginx.service|Web \u{fc}server|loaded|active|running|enabled|/usr/lib/systemd/system/nginx.service",
    ];
    assert_eq!(shown(&scene, "units"), expect);
    assert_eq!(shown(&scene, "units"), expect);
    tree.write("etc/systemd/system/new.service", "");
    assert_eq!(shown(&scene, "units").len(), 5);
    let asked: Vec<String> = asked.try_iter().collect();
    assert_eq!(asked, ["ListUnits", "ListUnitFiles", "ListUnits", "ListUnits", "ListUnitFiles"]);
}

#[test]
fn a_bus_that_does_not_answer_is_a_problem_where_systemd_runs_and_else_a_note() {
    let tree = tree();
    let mut scene = scene(&tree);
    scene.bus = tree.path("bus");
    let _asked = bus(&scene.bus, Vec::new());
    let problem = rows(&scene, "units").unwrap_err().to_string();
    assert!(problem.contains("ListUnits failed"), "{problem}");
    tree.remove("run/systemd");
    assert_eq!(shown(&scene, "units").len(), 3);
    assert!(scene.take_notes()[0].contains("ListUnits failed"));
}

#[test]
fn no_answer_of_a_bus_breaks_the_reader() {
    let good = units(&[["nginx.service", "Web server", "loaded", "active", "running"], ["b.timer", "x", "y", "z", ""]]);
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..60 {
        let tree = tree();
        let mut scene = scene(&tree);
        scene.bus = tree.path("bus");
        let mut bytes = good.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..=bytes.len()));
        let states = files(&[["/x/nginx.service", "enabled"]]);
        let _asked = bus(&scene.bus, vec![("ListUnits", bytes), ("ListUnitFiles", states)]);
        match rows(&scene, "units") {
            Ok(found) => assert!(found.len() <= 5, "round {round}"),
            Err(problem) => assert!(problem.to_string().starts_with("systemd on the system bus: "), "{problem}"),
        }
    }
}
