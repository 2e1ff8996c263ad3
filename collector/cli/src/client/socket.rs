//! WebSockets, as a live tail has one.

use hyper::header::HeaderName;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::refusal::{innermost, is_text, said};
use super::{CONNECT_WITHIN, Client, Socket, form};
use crate::error::Failure;

impl Client {
    /// A WebSocket to this path, with what the URL's query says.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn socket(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        (name, value): (&'static str, &str),
    ) -> Result<Socket, Failure> {
        let url = format!("ws://{}{}?{}", self.target.host(), self.target.path(path), form::encode(parameters));
        let mut request = url.as_str().into_client_request().map_err(|error| self.unusable(&error))?;
        request.headers_mut().insert(name, self.value(value)?);
        request
            .headers_mut()
            .extend(self.credentials()?.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)));
        let stream = self.connect().await?;
        match timeout(CONNECT_WITHIN, tokio_tungstenite::client_async(request, stream)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(WebSocketError::Http(answer))) => {
                let bytes = answer.body().clone().unwrap_or_default();
                let told = said(None, is_text(answer.headers()), &bytes);
                Err(self.refusal(answer.status().as_u16(), told, &bytes))
            }
            Ok(Err(error)) => Err(self.no_answer(&innermost(&error))),
            Err(_) => Err(self.no_answer(&format!("not within {} s", CONNECT_WITHIN.as_secs()))),
        }
    }
}
