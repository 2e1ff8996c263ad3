//! What a connection holds of the hub. Each is given back when its holder is dropped, so also when a connection's task ends
//! in a panic: nothing of it may lock its host out until the collector starts again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use muster_common::host::HostId;

use crate::fences::SessionNumber;
use crate::hub::{Hub, Live};

/// A handshake under way.
pub(crate) struct Shaking(Arc<Hub>);

impl Shaking {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        hub.handshaking.fetch_add(1, Ordering::Relaxed);
        Self(hub)
    }
}

impl Drop for Shaking {
    fn drop(&mut self) {
        self.0.handshaking.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place among the connections, admitted by their limits: a host's, or a stranger's who enrols.
pub(crate) struct Place {
    pub(crate) hub: Arc<Hub>,
    pub(crate) host: Option<HostId>,
    pub(crate) connection: quinn::Connection,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Without effect where the connection was closed in order.
        self.connection.close(0_u32.into(), b"");
        let mut connections = self.hub.connections.lock();
        match self.host {
            Some(host) => connections.closed(host),
            None => connections.enrol_closed(),
        }
    }
}

/// A place in the list of connections that orders reach.
pub(crate) struct Registered {
    hub: Arc<Hub>,
    pub(crate) number: u64,
}

impl Registered {
    pub(crate) fn new(hub: Arc<Hub>, live: Live) -> Self {
        let number = hub.register(live);
        Self { hub, number }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.hub.unregister(self.number);
    }
}

/// A hello's place in the order of arrival, which may hold a fence. Safe to drop with commits under way: what was queued is
/// decided before the marks that the next hello asks for.
pub(crate) struct Claimed {
    hub: Arc<Hub>,
    host: HostId,
    pub(crate) hello: SessionNumber,
}

impl Claimed {
    pub(crate) fn new(hub: Arc<Hub>, host: HostId) -> Self {
        let hello = hub.number_hello();
        Self { hub, host, hello }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.hub.release(self.host, self.hello);
    }
}

/// A host's presence as connected.
pub(crate) struct Connected {
    pub(crate) hub: Arc<Hub>,
    pub(crate) host: HostId,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.hub.presences.lock().disconnected(self.host);
        self.hub.fleet.configuration_gone(self.host);
        self.hub.fleet.task_gone(self.host);
    }
}
