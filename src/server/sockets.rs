//! Every listening socket is bound before anything starts, so that an unusable one ends the start with a reason. Those that
//! are open already, because systemd opened them or a gateway that is to be replaced hands them on, are taken over.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use listenfd::ListenFd;

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

/// Listening sockets that this process was started with (`LISTEN_FDS`, sd_listen_fds(3)).
#[derive(Debug, Default)]
pub struct Inherited(Vec<(SocketAddr, TcpListener)>);

impl Inherited {
    /// Takes them; once, before the process has a second thread.
    ///
    /// # Errors
    /// One is no TCP listener.
    pub fn take() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut listeners = Vec::new();
        for index in 0..handed.len() {
            if let Some(listener) = handed.take_tcp_listener(index)? {
                listeners.push((listener.local_addr()?, listener));
            }
        }
        Ok(Self(listeners))
    }

    /// Listens on `address`; port 0 is any free one.
    ///
    /// # Errors
    /// The address is taken, not ours, or needs a privilege.
    pub fn bind(&mut self, address: SocketAddr, purpose: &'static str) -> Result<TcpListener, UnusableAddress> {
        let open = self.0.iter().position(|(open, _)| *open == address).map(|index| self.0.swap_remove(index).1);
        // SO_REUSEADDR is set by the standard library: a restart needn't wait for old connections to be forgotten.
        open.map_or_else(|| TcpListener::bind(address), Ok)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|reason| UnusableAddress { address, purpose, reason })
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that nobody has asked for. They close with it.
    pub fn left(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(address, _)| *address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(address: SocketAddr) -> Result<TcpListener, UnusableAddress> {
        Inherited::default().bind(address, "[admin].listen")
    }

    #[test]
    fn a_taken_address_is_an_error_that_names_it_and_its_purpose() {
        let free = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = free.local_addr().unwrap();
        let problem = bind(taken).unwrap_err().to_string();
        assert!(problem.contains(&taken.to_string()) && problem.contains("[admin].listen"), "{problem}");
    }

    #[test]
    fn an_open_socket_is_taken_over_once() {
        let open = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = open.local_addr().unwrap();
        let mut inherited = Inherited(vec![(address, open)]);
        assert_eq!(inherited.left().collect::<Vec<_>>(), [address]);
        let taken = inherited.bind(address, "[server].listen").unwrap();
        assert_eq!((taken.local_addr().unwrap(), inherited.left().count()), (address, 0));
        assert!(inherited.bind(address, "[server].listen").is_err(), "it is in use");
    }
}
