//! What is in force, and how another comes into force.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use muster_api::Https;
use muster_common::time::Timestamp;
use muster_fleet::Fleet;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use super::files;
use super::in_force::{InForce, Resolver};
use super::own::{self, Own};
use crate::config::{CertificateFiles, Config};

/// So long before its end a certificate of files is a trouble: whatever renews them has failed more than once by then.
const ENDS_SOON: Duration = Duration::from_secs(7 * 86_400);
const DAY_SECONDS: u64 = 86_400;

/// The certificate of HTTPS.
pub(crate) struct Certificates {
    in_force: Arc<ArcSwap<InForce>>,
    own: Own,
    state: Mutex<Watched>,
}

/// What the next look compares with.
struct Watched {
    /// `None`: the embedded CA.
    files: Option<CertificateFiles>,
    /// The last contents that were bad, and why.
    bad: Option<(String, String)>,
}

/// A certificate that was found good and is not in force yet.
pub(crate) struct Prepared {
    files: Option<CertificateFiles>,
    in_force: InForce,
}

impl Certificates {
    /// # Errors
    /// Why there is no certificate to begin with, with place and remedy.
    pub(crate) fn open(
        config: &Config,
        listen: SocketAddr,
        machine: &str,
        fleet: &Arc<Fleet>,
        now: Timestamp,
    ) -> Result<Self, String> {
        let names = own::names(listen, config.agents.advertise.as_deref(), machine);
        let own = Own { fleet: Arc::clone(fleet), names, data: Path::to_owned(&config.data) };
        let files = config.http.certificate();
        let in_force = match &files {
            None => own.issue(now)?,
            Some(files) => {
                let loaded = files::load(files)?;
                // Agents and alerts have no use for it: they do not wait for whoever renews it. It is told until that is done.
                if let Err(why) = files::check_dates(files, &loaded, now) {
                    tracing::error!("{why}");
                }
                loaded
            }
        };
        let state = Mutex::new(Watched { files, bad: None });
        Ok(Self { in_force: Arc::new(ArcSwap::from_pointee(in_force)), own, state })
    }

    /// TLS 1.2 and 1.3, HTTP/1.1.
    ///
    /// # Errors
    /// What the TLS library said.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, String> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(|error| error.to_string())?;
        let resolver = Arc::new(Resolver(Arc::clone(&self.in_force)));
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// What others are told of it.
    pub(crate) fn https(&self) -> Https {
        self.in_force.load().https.clone()
    }

    /// Reads what this configuration wants, for [`Certificates::put`].
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub(crate) fn prepare(&self, config: &Config, now: Timestamp) -> Result<Prepared, String> {
        let files = config.http.certificate();
        let in_force = match &files {
            None => self.own.issue(now)?,
            Some(files) => {
                let loaded = files::load(files)?;
                // The one in force may go on: a reload about other things is not refused for its sake.
                if loaded.print != self.in_force.load().print {
                    files::check_dates(files, &loaded, now)?;
                }
                loaded
            }
        };
        Ok(Prepared { files, in_force })
    }

    /// From now on handshakes take this one.
    pub(crate) fn put(&self, prepared: Prepared) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = Watched { files: prepared.files, bad: None };
        self.in_force.store(Arc::new(prepared.in_force));
    }

    /// Takes files that have changed, and makes a certificate of the embedded CA anew when its time has come. What is wrong, if anything
    /// is: then the one before stays in force.
    pub(crate) fn look(&self, now: Timestamp) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(files) = state.files.clone() else { return self.look_at_own(now) };
        let contents = match files::read(&files) {
            Ok(contents) => contents,
            Err(why) => return Some(stays(&why)),
        };
        let print = contents.print();
        if print != self.in_force.load().print {
            if let Some((_, why)) = state.bad.as_ref().filter(|(bad, _)| *bad == print) {
                return Some(stays(why));
            }
            let judged =
                files::judge(&files, &contents).and_then(|new| files::check_dates(&files, &new, now).map(|()| new));
            match judged {
                Ok(new) => {
                    tracing::info!("HTTPS has the new certificate of `{}`", files.certificate.display());
                    self.in_force.store(Arc::new(new));
                    state.bad = None;
                }
                Err(why) => {
                    state.bad = Some((print, why.clone()));
                    return Some(stays(&why));
                }
            }
        }
        let in_force = self.in_force.load();
        if let Err(why) = files::check_dates(&files, &in_force, now) {
            return Some(why);
        }
        let left = in_force.https.expires.since(now);
        (left < ENDS_SOON).then(|| {
            format!(
                "http.cert: the certificate in `{}` ends in {} days: renew it",
                files.certificate.display(),
                left.as_secs() / DAY_SECONDS
            )
        })
    }

    fn look_at_own(&self, now: Timestamp) -> Option<String> {
        let is_due = self.in_force.load().own.as_ref().is_none_or(|own| self.own.is_due(own, now));
        if !is_due {
            return None;
        }
        match self.own.issue(now) {
            Ok(new) => {
                tracing::info!("HTTPS has a new certificate of the embedded CA");
                self.in_force.store(Arc::new(new));
                None
            }
            Err(why) => Some(stays(&why)),
        }
    }
}

fn stays(why: &str) -> String {
    format!("{why} (the certificate before stays in force)")
}
