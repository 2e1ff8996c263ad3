//! Where the collector is: behind a URL, or at its unix socket.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::trust::{Trust, explain};
use crate::error::Failure;

/// What is asked where no URL is given and no socket is there.
const EXAMPLE: &str = "http://127.0.0.1:9470";

/// A stream to the collector, whatever it is made of.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// One collector.
pub struct Target {
    place: Place,
    /// As requests name it: name or address, and port where one was written.
    authority: String,
    /// What stands before every path, for a collector behind a proxy; without a slash at its end.
    prefix: String,
    shown: String,
}

enum Place {
    Network { host: String, port: u16, tls: Option<(Arc<ClientConfig>, ServerName<'static>)> },
    Socket(PathBuf),
}

impl Target {
    /// # Errors
    /// The URL is none, of another kind than http and https, or nothing can be trusted as it was asked.
    pub fn of_url(url: &str, trust: &Trust) -> Result<Self, Failure> {
        let wrong =
            |why: &dyn fmt::Display| Failure::Usage(format!("--url `{url}`: {why}; write one such as {EXAMPLE}"));
        let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(wrong(&format!("`{other}` is neither http nor https"))),
            None => return Err(wrong(&"there is no `http://` or `https://`")),
        };
        let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
            return Err(wrong(&"there is no host"));
        };
        // A name and password in front of the host are not part of its name.
        let authority = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, authority)| authority);
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = if is_secure {
            let name = ServerName::try_from(host.clone()).map_err(|error| wrong(&error))?;
            Some((trust.config()?, name))
        } else {
            // What is asked of this machine is nobody else's; the variables may be set for others.
            if !is_loopback(&host) {
                trust.check_plain()?;
            }
            None
        };
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self {
            authority: authority.to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            shown: uri.to_string(),
            place: Place::Network { host, port, tls },
        })
    }

    /// The collector at this socket, if one listens there and lets this user in.
    pub fn of_socket(path: &Path) -> Option<Self> {
        std::os::unix::net::UnixStream::connect(path).ok()?;
        Some(Self {
            authority: "localhost".to_owned(),
            prefix: String::new(),
            shown: format!("`{}`", path.display()),
            place: Place::Socket(path.to_owned()),
        })
    }

    /// The value of the header `Host`.
    pub(super) fn host(&self) -> &str {
        &self.authority
    }

    /// The value of the header `Origin` that a page of this collector would send.
    pub(super) fn origin(&self) -> String {
        let is_secure = matches!(self.place, Place::Network { tls: Some(_), .. });
        format!("{}://{}", if is_secure { "https" } else { "http" }, self.authority)
    }

    /// The path as it is sent.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Whether what is sent could be read on its way to another machine.
    pub fn is_open(&self) -> bool {
        matches!(&self.place, Place::Network { host, tls: None, .. } if !is_loopback(host))
    }

    /// # Errors
    /// Why there is no connection, in words that name the remedy.
    pub(super) async fn connect(&self) -> Result<Box<dyn Wire>, Failure> {
        let unknown = |error: std::io::Error| Failure::Unknown(error.to_string());
        match &self.place {
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(unknown)?;
                Ok(Box::new(stream))
            }
            Place::Network { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(unknown)?;
                let _ = stream.set_nodelay(true);
                let Some((config, name)) = tls else { return Ok(Box::new(stream)) };
                let shaken = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await;
                let stream = shaken.map_err(|error| explain(&error, &self.shown))?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.shown)
    }
}

/// Whether this URL is of the machine that muster runs on.
pub(super) fn is_this_machine(url: &str) -> bool {
    url.parse::<Uri>().ok().and_then(|uri| uri.host().map(is_loopback)).unwrap_or(false)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
