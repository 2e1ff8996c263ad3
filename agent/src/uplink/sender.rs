//! Session and spool together, synchronously: what the simulator and tests drive. The program does the same with the spool on its own thread
//! (`agent.rs`), which changes when answers come and nothing else.

use std::collections::VecDeque;

use super::moment::Moment;
use super::session::{Effect, Input, Session};
use crate::spool::Spool;

/// A whole agent but for its sources and its sockets.
pub struct Sender {
    session: Session,
    spool: Spool,
}

impl Sender {
    pub fn new(session: Session, spool: Spool) -> Self {
        Self { session, spool }
    }

    /// Takes one input, serves the spool until nothing more is asked of it, and gives the effects that remain, in order.
    pub fn step(&mut self, now: Moment, input: Input<'_>) -> Vec<Effect> {
        let (mut outer, mut waiting) = (Vec::new(), Vec::new());
        self.session.step(now, input, &mut waiting);
        let mut waiting = VecDeque::from(waiting);
        while let Some(effect) = waiting.pop_front() {
            match effect {
                Effect::Spool(request) => {
                    let Some(answer) = self.spool.serve(request) else { continue };
                    let mut more = Vec::new();
                    self.session.step(now, Input::Spool(answer), &mut more);
                    waiting.extend(more);
                }
                other => outer.push(other),
            }
        }
        outer
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// For [`Session::correction_at`], which a row needs before it is made.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    pub fn spool(&self) -> &Spool {
        &self.spool
    }
}
