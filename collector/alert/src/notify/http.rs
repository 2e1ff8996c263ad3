//! One request over HTTP or HTTPS, with bounds: what webhooks and the heartbeat need, and no more.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What is read of an answer, for its words in errors.
const ANSWER_BYTES: usize = 16 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nothing was sent.
    #[error("connecting to {host}: {text}")]
    Connect { host: String, text: String },
    /// The request may have arrived.
    #[error("no answer from {host}: {text}")]
    Lost { host: String, text: String },
}

/// TLS of the machine's roots, or of `ca_pem` alone where it is not empty.
///
/// # Errors
/// Words for people where the certificates are none.
pub(super) fn tls(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, String> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = RootCertStore::empty();
    if ca_pem.is_empty() {
        for certificate in rustls_native_certs::load_native_certs().certs {
            // One that cannot be read is one server less that is trusted; the error shows when it is met.
            let _ = roots.add(certificate);
        }
    } else {
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(ca_pem) {
            roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        }
        if roots.is_empty() {
            return Err("no certificate in it".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// An address of the web; `None`: it is none.
pub(super) fn web_address(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty()))
        .then_some(uri)
}

/// What is sent.
pub(super) struct Message<'a> {
    pub(super) method: Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: Bytes,
}

/// Sends one request; its status and the beginning of its body.
pub(super) async fn send(
    message: Message<'_>,
    tls: &Arc<ClientConfig>,
    limit: Duration,
) -> Result<(u16, String), HttpError> {
    let uri = message.uri;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let connect = |text: String| HttpError::Connect { host: host.clone(), text };
    let connecting = timeout(limit, TcpStream::connect((host.as_str(), port))).await;
    let stream =
        connecting.map_err(|_| connect("no answer in time".to_owned()))?.map_err(|error| connect(error.to_string()))?;
    let exchange = async {
        if !is_secure {
            return exchange(stream, message, &host).await;
        }
        let name = ServerName::try_from(host.clone()).map_err(|error| connect(error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await
            .map_err(|error| connect(error.to_string()))?;
        exchange(stream, message, &host).await
    };
    timeout(limit, exchange)
        .await
        .map_err(|_| HttpError::Lost { host: host.clone(), text: "none in time".to_owned() })?
}

async fn exchange<S>(stream: S, message: Message<'_>, host: &str) -> Result<(u16, String), HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Message { method, uri, headers, body } = message;
    let lost = |text: String| HttpError::Lost { host: host.to_owned(), text };
    let connect = |text: String| HttpError::Connect { host: host.to_owned(), text };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| connect(error.to_string()))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    // A name and password in the address are not part of the host's name.
    let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
    let mut request = Request::builder().method(method).uri(path).header("Host", authority);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(body)).map_err(|error| connect(error.to_string()))?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(|error| lost(error.to_string()))?;
        let status = answer.status().as_u16();
        // The status decides; a body that is too long or breaks off changes nothing.
        let body = Limited::new(answer.into_body(), ANSWER_BYTES)
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It ends with what it has handed on, or without: the answer knows.
        _ = connection => answer.await,
    }
}
