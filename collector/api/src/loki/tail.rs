//! `tail`: lines over a WebSocket, as [`super::follow`] has them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request, State as Shared};
use axum::response::Response;
use tokio::time::{MissedTickBehavior, Sleep};

use super::follow::{End, Follow, TailAsked};
use super::parameters::bad;
use super::response::frame;
use crate::error::LokiError;
use crate::live;
use crate::state::State;

/// How long a client may take for one frame before it is let go.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// How often a silent client is asked whether it is there, and a token whether it is still good.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Pings in a row without a word from the client.
const UNANSWERED_MAX: u32 = 3;
/// What a client sends is pings and a goodbye.
const RECEIVED_BYTES_MAX: usize = 4 << 10;
/// The text of a close frame, by the protocol.
const CLOSE_TEXT_MAX: usize = 123;

/// One tail and its way to the client.
struct Tail(Follow);

pub(super) async fn tail(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let (mut head, _) = request.into_parts();
    let asked = TailAsked::read(&state, &head)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &state).await.map_err(|rejection| {
        bad(rejection.to_string()).place("the request's head").remedy("ask for an upgrade to a WebSocket")
    })?;
    let tail = Tail(asked.begin(state, &head, frame)?);
    let upgrade = upgrade.max_message_size(RECEIVED_BYTES_MAX).max_frame_size(RECEIVED_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        if let Some((code, text)) = told(tail.run(&mut socket).await) {
            let reason = text[..text.floor_char_boundary(CLOSE_TEXT_MAX)].into();
            let goodbye = Message::Close(Some(CloseFrame { code, reason }));
            let _ = tokio::time::timeout(Duration::from_secs(1), socket.send(goodbye)).await;
        }
    }))
}

/// What a close frame says of an end.
fn told(end: End) -> Option<(u16, String)> {
    match end {
        End::Gone => None,
        End::Stops => Some((close_code::AWAY, "the collector stops".to_owned())),
        End::Refused(why) => Some((close_code::POLICY, why)),
        End::Failed(why) => Some((close_code::ERROR, why)),
    }
}

impl Tail {
    async fn run(mut self, socket: &mut WebSocket) -> End {
        match self.begin(socket).await {
            Ok(()) => self.follow(socket).await.err().unwrap_or(End::Gone),
            Err(end) => end,
        }
    }

    /// The newest lines that are there.
    async fn begin(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let frames = self.0.first().await?;
        self.send_all(socket, frames).await
    }

    /// Lines as they come, until the client or the collector has enough.
    async fn follow(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.reset();
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (woken, mut unanswered, mut due) = (Arc::clone(&self.0.woken), 0, None::<Pin<Box<Sleep>>>);
        loop {
            tokio::select! {
                () = self.0.place.ended() => return Err(End::Stops),
                received = socket.recv() => match received {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Err(End::Gone),
                    Some(Ok(_)) => unanswered = 0,
                },
                _ = ping.tick() => {
                    if !live::may(&self.0.state, &self.0.asked) {
                        return Err(End::Refused("the token is no longer good".to_owned()));
                    }
                    if unanswered >= UNANSWERED_MAX {
                        return Err(End::Gone);
                    }
                    unanswered += 1;
                    self.send(socket, Message::Ping(Bytes::new())).await?;
                },
                () = woken.notified(), if due.is_none() => due = Some(Box::pin(tokio::time::sleep(self.0.delay))),
                () = over(&mut due) => {
                    due = None;
                    let frames = self.0.drain().await?;
                    self.send_all(socket, frames).await?;
                },
            }
        }
    }

    async fn send_all(&mut self, socket: &mut WebSocket, frames: Vec<Vec<u8>>) -> Result<(), End> {
        for frame in frames {
            let text = String::from_utf8(frame).map_err(|_| End::Gone)?;
            self.send(socket, Message::Text(text.into())).await?;
        }
        Ok(())
    }

    async fn send(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let sent = tokio::select! {
            () = self.0.place.ended() => return Err(End::Stops),
            sent = tokio::time::timeout(SEND_WITHIN, socket.send(message)) => sent,
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => {
                self.0.state.tails.count_slow();
                Err(End::Gone)
            }
        }
    }
}

/// Ends when the time is over, if one runs.
async fn over(due: &mut Option<Pin<Box<Sleep>>>) {
    match due {
        Some(due) => due.await,
        None => std::future::pending().await,
    }
}
