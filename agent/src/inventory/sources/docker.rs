//! The list of containers over the socket of docker, or of podman, which answers alike.
//!
//! HTTP/1.0, so that the answer comes as it is and ends with the connection. Source: Docker Engine API, "List containers".

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use muster_common::inventory::Row;
use muster_common::time::monotonic;
use serde_json::Value as Json;

use super::super::scene::Problem;

const LIMIT: Duration = Duration::from_secs(2);
/// A container has some 2 kB.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// The oldest version of the API that both still speak.
const REQUEST: &[u8] =
    b"GET /v1.40/containers/json?all=true HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n";

/// Why nothing is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// No such manager runs here, or this user may not ask it.
    Absent,
    Failed(Problem),
}

/// Rows of the containers that the manager at this socket knows, running or not.
///
/// # Errors
/// [`Silent`]
pub(super) fn containers(socket: &Path, runtime: &str) -> Result<Vec<Row>, Silent> {
    let problem = |problem: String| Silent::Failed(Problem { place: socket.display().to_string(), problem });
    let answer = match get(socket) {
        Ok(answer) => answer,
        Err(error) if is_absence(&error) => return Err(Silent::Absent),
        Err(error) => return Err(problem(format!("gives no answer: {error}"))),
    };
    let head = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or_else(|| problem("answers with no HTTP".to_owned()))?;
    let (head, body) = (&answer[..head], &answer[head + 4..]);
    let status = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status != b"200" {
        return Err(problem(format!("answers with status {}", String::from_utf8_lossy(status))));
    }
    let list: Json = serde_json::from_slice(body).map_err(|error| problem(format!("answers with no JSON: {error}")))?;
    let list = list.as_array().ok_or_else(|| problem("answers with no list".to_owned()))?;
    Ok(list.iter().filter_map(|one| row(one, runtime)).collect())
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied | ConnectionRefused)
}

fn get(socket: &Path) -> io::Result<Vec<u8>> {
    let end = monotonic() + LIMIT;
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(REQUEST)?;
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let left = end.saturating_sub(monotonic());
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it is not done within {} s", LIMIT.as_secs()),
            ));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part) {
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
        }
    }
}

fn row(one: &Json, runtime: &str) -> Option<Row> {
    let text = |key: &str| one.get(key).and_then(Json::as_str).map(str::to_owned);
    let id = text("Id").filter(|id| !id.is_empty())?;
    let name = one.get("Names").and_then(|names| names.get(0)?.as_str());
    let name = name.map(|name| name.trim_start_matches('/').to_owned());
    // Podman has a text of digits, or a time, in old versions.
    let created = one.get("Created").and_then(|at| at.as_i64().or_else(|| at.as_str()?.parse().ok()));
    Some(vec![
        id.into(),
        name.into(),
        runtime.into(),
        text("Image").into(),
        text("State").map(|state| state.to_lowercase()).into(),
        created.into(),
    ])
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// One answer for whoever connects first; what was asked comes back.
    fn serve(answer: &'static [u8]) -> (tempfile::TempDir, std::path::PathBuf, std::thread::JoinHandle<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; REQUEST.len()];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
            asked
        });
        (folder, socket, thread)
    }

    #[test]
    fn a_manager_tells_its_containers() {
        let (_folder, socket, thread) = serve(
            b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[{\"Id\":\"ab\",\"Names\":[\"/web\"],\"Image\":\"nginx:1\",\
              \"State\":\"running\",\"Created\":1700000000},{\"Id\":\"\"},{\"Id\":\"cd\",\"Names\":[],\"Created\":\"5\",\"State\":\"Exited\"},7]",
        );
        let rows = containers(&socket, "docker").unwrap();
        assert_eq!(thread.join().unwrap(), REQUEST);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            rows[0],
            ["ab".into(), "web".into(), "docker".into(), "nginx:1".into(), "running".into(), 1_700_000_000.into()]
        );
        assert_eq!((&rows[1][1], &rows[1][4], &rows[1][5]), (&None::<String>.into(), &"exited".into(), &5.into()));
    }

    #[test]
    fn what_is_no_answer_is_told_with_its_place() {
        for (answer, word) in [
            (&b"HTTP/1.0 500 Oops\r\n\r\n"[..], "status 500"),
            (b"HTTP/1.0 200 OK\r\n\r\n{\"message\":1}", "no list"),
            (b"HTTP/1.0 200 OK\r\n\r\n[{\"Id\":\"\xff", "no JSON"),
            (b"hello", "no HTTP"),
            (b"", "no HTTP"),
        ] {
            let (_folder, socket, thread) = serve(answer);
            let Err(Silent::Failed(problem)) = containers(&socket, "docker") else { panic!("{word}") };
            assert!(problem.to_string().contains(word) && problem.place.ends_with("docker.sock"), "{problem}");
            thread.join().unwrap();
        }
        assert_eq!(containers(Path::new("/nowhere/docker.sock"), "docker"), Err(Silent::Absent));
    }
}
