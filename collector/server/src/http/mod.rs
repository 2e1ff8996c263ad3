//! The HTTP listeners: the address, with TLS or without, and the unix socket. So many connections, so long for a handshake, for a request's
//! head and for a client that does not read; an orderly end.

mod connection;
mod headers;
mod listen;
mod paced;
mod socket;

pub(crate) use connection::{HttpCounts, Service};
pub(crate) use listen::{bind, serve, serve_socket};
pub(crate) use socket::{BoundSocket, bind_socket};

#[cfg(test)]
mod tests;
