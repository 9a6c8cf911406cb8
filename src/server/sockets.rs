//! Every listening socket is bound before anything starts, so that an unusable one ends the start with a reason.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} ({purpose}): {reason}")]
pub struct UnusableAddress {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What would have listened there, in the configuration's words.
    pub purpose: &'static str,
    /// The system's reason.
    pub reason: io::Error,
}

/// Listens on `address`; port 0 is any free one.
///
/// # Errors
/// The address is taken, not ours, or needs a privilege.
pub fn bind(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, UnusableAddress> {
    // SO_REUSEADDR is set by the standard library: a restart needn't wait for old connections to be forgotten.
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|reason| UnusableAddress { address, purpose, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_an_error_that_names_it_and_its_purpose() {
        let free = bind("127.0.0.1:0".parse().unwrap(), "[server].listen").unwrap();
        let taken = free.local_addr().unwrap();
        let problem = bind(taken, "[admin].listen").unwrap_err().to_string();
        assert!(problem.contains(&taken.to_string()) && problem.contains("[admin].listen"), "{problem}");
    }
}
