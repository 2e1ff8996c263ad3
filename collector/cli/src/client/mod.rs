//! The collector's HTTP API as this command sees it: JSON in, JSON out, failures in one line.

mod exchange;
mod form;
mod refusal;
mod socket;
mod target;
mod token;
mod trust;

use std::time::Duration;

use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;

use crate::error::Failure;
use crate::session::Session;
use exchange::{Body, Headers, Question};
use refusal::{is_text, said};
use target::Wire;

pub use form::escape;
pub(crate) use refusal::problem;
pub use target::Target;
pub use token::{DATA, Token};
pub use trust::Trust;

/// Longer than the longest query the collector lets run.
const ANSWER_WITHIN: Duration = Duration::from_secs(3_700);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// An open WebSocket.
pub type Socket = WebSocketStream<Box<dyn Wire>>;

/// A connection to one collector, with what to show it.
#[derive(Debug)]
pub struct Client {
    target: Target,
    token: Option<Token>,
    session: Option<Session>,
}

impl Client {
    pub fn new(target: Target, token: Option<Token>) -> Self {
        Self { target, token, session: None }
    }

    /// As the user of this session, where there is no token.
    #[must_use]
    pub fn with_session(mut self, session: Option<Session>) -> Self {
        self.session = session.filter(|_| self.token.is_none());
        self
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, Body::Nothing, None).await
    }

    /// An answer that is no JSON, as it came.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get_text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.answer(Method::GET, path, Body::Nothing, self.credentials()?).await?;
        if answer.status.is_success() {
            return Ok(String::from_utf8_lossy(&answer.bytes).into_owned());
        }
        let json: Option<Value> = serde_json::from_slice(&answer.bytes).ok();
        let told = said(json.as_ref(), is_text(&answer.headers), &answer.bytes);
        Err(self.refusal(answer.status.as_u16(), told, &answer.bytes))
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn post_form(&self, path: &str, form: &[(&str, String)]) -> Result<Value, Failure> {
        self.send(Method::POST, path, Body::form(form), None).await
    }

    /// As [`Client::post_form`], with one more header.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn post_form_with(
        &self,
        path: &str,
        form: &[(&str, String)],
        header: (&'static str, &str),
    ) -> Result<Value, Failure> {
        self.send(Method::POST, path, Body::form(form), Some(header)).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn post_json(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, Body::json(body), None).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn put_json(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::PUT, path, Body::json(body), None).await
    }

    /// A login: the answer, and the cookie that it sets, to be sent back as it is. No token and no session goes with it.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn log_in(&self, path: &str, body: &Value) -> Result<(Value, String), Failure> {
        let (headers, json) = self.exchange(Method::POST, path, Body::json(body), Headers::new()).await?;
        let cookie = headers.get("set-cookie").and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|text| text.split(';').next()).filter(|pair| pair.contains('='));
        let none =
            || Failure::Unknown(format!("{} answered a login without a session: is it a collector?", self.target));
        Ok((json, cookie.ok_or_else(none)?.to_owned()))
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::DELETE, path, Body::Nothing, None).await
    }

    /// One that says why.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn delete_json(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::DELETE, path, Body::json(body), None).await
    }

    /// The JSON of the answer.
    ///
    /// # Errors
    /// [`Failure`] with the collector's own words where it answered.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body,
        header: Option<(&'static str, &str)>,
    ) -> Result<Value, Failure> {
        let mut headers = self.credentials()?;
        headers.extend(header.map(|(name, value)| self.value(value).map(|value| (name, value))).transpose()?);
        self.exchange(method, path, body, headers).await.map(|(_, json)| json)
    }

    /// Sends it as it is; the answer's headers and its JSON.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Body,
        headers: Headers,
    ) -> Result<(HeaderMap, Value), Failure> {
        let answer = self.answer(method, path, body, headers).await?;
        let json: Option<Value> = serde_json::from_slice(&answer.bytes).ok();
        match json {
            Some(json) if answer.status.is_success() => Ok((answer.headers, json)),
            json => {
                let told = said(json.as_ref(), is_text(&answer.headers), &answer.bytes);
                Err(self.refusal(answer.status.as_u16(), told, &answer.bytes))
            }
        }
    }

    /// Sends it as it is; the whole answer, whatever it is.
    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Body,
        headers: Headers,
    ) -> Result<exchange::Answer, Failure> {
        let stream = self.connect().await?;
        let path = self.target.path(path);
        let question = Question { method, path: &path, host: self.target.host(), headers, body };
        let asked = timeout(ANSWER_WITHIN, exchange::ask(stream, question)).await;
        let answered = asked.unwrap_or_else(|_| Err(format!("not within {} s", ANSWER_WITHIN.as_secs())));
        answered.map_err(|why| self.no_answer(&why))
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, Failure> {
        let connected = timeout(CONNECT_WITHIN, self.target.connect()).await;
        connected
            .unwrap_or_else(|_| Err(Failure::Unknown(format!("not within {} s", CONNECT_WITHIN.as_secs()))))
            .map_err(|failure| match failure {
                Failure::Unknown(why) => self.no_answer(&why),
                other => other,
            })
    }

    /// The headers that say who asks.
    fn credentials(&self) -> Result<Headers, Failure> {
        let value = |text: &str, from: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| Failure::Usage(format!("the {from} has characters that it cannot have")))
        };
        match (&self.token, &self.session) {
            (Some(token), _) => {
                let from = format!("token from {}", token.from);
                Ok(vec![("authorization", value(&format!("Bearer {}", token.word), &from)?)])
            }
            (None, Some(session)) => Ok(vec![
                ("cookie", value(&session.cookie, "file of the login")?),
                // Of a page's requests browsers say this; here it says that the one who has the cookie asks.
                ("origin", value(&self.target.origin(), "URL")?),
            ]),
            (None, None) => Ok(Headers::new()),
        }
    }

    fn value(&self, text: &str) -> Result<HeaderValue, Failure> {
        HeaderValue::from_str(text).map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Usage(format!("`{}` cannot be asked: {error}", self.target))
    }
}

#[cfg(test)]
mod tests;
