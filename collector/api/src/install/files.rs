//! One file of the packages' folder, sent piece by piece.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, ErrorKind, PlainError};
use crate::state::State;

/// One piece of a file: large enough that the disk and the threads are asked seldom.
const PIECE_BYTES: usize = 256 << 10;
/// How long a request waits for its turn before it is told to come again.
const TURN_WITHIN: Duration = Duration::from_secs(30);
/// Longest name of a file.
const NAME_BYTES_MAX: usize = 128;

/// A file that is open, and its place among those that are sent.
struct Sending {
    file: File,
    left: u64,
    _turn: OwnedSemaphorePermit,
}

pub(super) async fn send(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, PlainError> {
    // As it was sent: an escape is refused, not undone.
    let path = request.uri().path();
    let name = path.strip_prefix("/install/").unwrap_or(path).to_owned();
    if !is_plain(&name) {
        return Err(
            no_file(&name, "names here are plain: letters, digits and `._+~-`, not beginning with a dot").into()
        );
    }
    let turn = turn(&state.install.sending).await?;
    let folder = state.install.packages.clone();
    let opening = {
        let name = name.clone();
        tokio::task::spawn_blocking(move || open(&folder, &name))
    };
    let opened = opening.await.map_err(|error| ApiError::new(ErrorKind::Internal, error.to_string()))?;
    let (file, bytes) = opened?;
    let mut response = Response::new(Body::from_stream(pieces(Sending { file, left: bytes, _turn: turn })));
    let is_text = !name.contains('.') || name.ends_with(".sh");
    let kind = if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    Ok(response)
}

/// Whether this is the name of a file and nothing else: no way out of the folder can be written in it.
pub(super) fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~-".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && name.bytes().all(is_allowed)
}

fn no_file(name: &str, remedy: &str) -> ApiError {
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    ApiError::new(ErrorKind::NotFound, format!("there is no file `{shown}`")).place("/install").remedy(remedy)
}

async fn turn(sending: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    match tokio::time::timeout(TURN_WITHIN, Arc::clone(sending).acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(ApiError::new(ErrorKind::Unavailable, "too many files are being sent")
            .place("/install")
            .remedy("ask again a little later")
            .retry_after_seconds(30)),
    }
}

/// The file of this plain name and its length. A link is followed as long as it stays in the folder.
fn open(folder: &Path, name: &str) -> Result<(File, u64), ApiError> {
    let gone = || no_file(name, &remedy(folder));
    let folder_itself = folder.canonicalize().map_err(|_| gone())?;
    let path: PathBuf = folder_itself.join(name).canonicalize().map_err(|_| gone())?;
    // Opening a pipe would wait for its writer.
    if path.parent() != Some(&folder_itself) || !path.is_file() {
        return Err(gone());
    }
    let unreadable = |error: io::Error| {
        tracing::error!("`{}` cannot be sent: {error}; let the collector's user read it", path.display());
        ApiError::new(ErrorKind::Internal, format!("`{name}` cannot be read: {error}"))
            .place("/install")
            .remedy("let the collector's user read the files of install.packages")
    };
    let file = File::open(&path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    Ok((file, bytes))
}

fn remedy(folder: &Path) -> String {
    if folder.is_dir() {
        "install.packages of the collector's configuration names the folder of these files".to_owned()
    } else {
        format!(
            "the collector has no packages: its folder `{}` is not there; put the agent's packages and installer there, or name another by install.packages",
            folder.display()
        )
    }
}

/// The file's bytes, as many as its length was. One that was cut off meanwhile ends the connection, so that nobody takes it for whole.
fn pieces(sending: Sending) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    futures_util::stream::try_unfold(sending, |mut sending| async move {
        if sending.left == 0 {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let room = usize::try_from(sending.left).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let mut piece = vec![0; room];
            sending.file.read_exact(&mut piece)?;
            sending.left -= room as u64;
            Ok::<_, io::Error>((Bytes::from(piece), sending))
        });
        read.await.map_err(io::Error::other)?.map(Some)
    })
}

/// The whole of a small file of the folder, for its hash; `None` where there is none, or it is larger than that.
pub(super) fn small(folder: &Path, name: &str, bytes_max: u64) -> Option<Vec<u8>> {
    let (file, bytes) = open(folder, name).ok().filter(|(_, bytes)| *bytes <= bytes_max)?;
    let mut whole = Vec::with_capacity(usize::try_from(bytes).ok()?);
    file.take(bytes_max).read_to_end(&mut whole).ok()?;
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names() {
        for name in ["install.sh", "SHA256SUMS", "muster-agent_0.1.0-1_amd64.deb", "a+b~1"] {
            assert!(is_plain(name), "{name}");
        }
        let long = "a".repeat(129);
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "../etc/passwd",
            "a/b",
            "a\\b",
            "%2e%2e%2fpasswd",
            "a%00",
            "a b",
            "a\0",
            "\u{e9}",
            "a;b",
            "a$b",
            "/etc/passwd",
            &long,
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn links_out_of_the_folder_and_what_is_no_file_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path().join("packages");
        std::fs::create_dir_all(packages.join("sub")).unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::fs::write(packages.join("install.sh"), "echo").unwrap();
        std::fs::write(packages.join("sub/inner"), "i").unwrap();
        for (name, target) in [
            ("inside", "install.sh"),
            ("out", "../secret"),
            ("deep", "sub/inner"),
            ("gone", "nothing"),
            ("loop", "loop"),
        ] {
            std::os::unix::fs::symlink(target, packages.join(name)).unwrap();
        }
        for (name, is_there) in [
            ("install.sh", true),
            ("inside", true),
            ("out", false),
            ("deep", false),
            ("gone", false),
            ("loop", false),
            ("sub", false),
            ("nothing", false),
        ] {
            assert_eq!(open(&packages, name).is_ok(), is_there, "{name}");
        }
        assert_eq!(small(&packages, "install.sh", 4).as_deref(), Some(&b"echo"[..]));
        assert_eq!(small(&packages, "install.sh", 3), None);
        let told = open(&folder.path().join("none"), "install.sh").map(|_| ()).unwrap_err().to_string();
        assert_eq!(told, "there is no file `install.sh`");
    }

    #[tokio::test]
    async fn a_file_that_was_cut_off_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, vec![7; PIECE_BYTES + 5]).unwrap();
        let turn = Arc::new(Semaphore::new(1));
        let sending = async |left| {
            let file = File::open(&path).unwrap();
            let body = Body::from_stream(pieces(Sending { file, left, _turn: turn_of(&turn).await }));
            axum::body::to_bytes(body, usize::MAX).await
        };
        assert_eq!(sending(PIECE_BYTES as u64 + 5).await.unwrap(), vec![7; PIECE_BYTES + 5]);
        assert!(sending(PIECE_BYTES as u64 + 6).await.is_err());
        assert_eq!(turn.available_permits(), 1, "its place is free");
    }

    async fn turn_of(turn: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        Arc::clone(turn).acquire_owned().await.unwrap()
    }
}
