//! What commands work with beside a running gateway.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// A runtime for the calls of one command.
///
/// # Errors
/// When the system has no thread left.
pub fn runtime() -> io::Result<Runtime> {
    // Another part of the process may have installed one; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Builder::new_multi_thread().worker_threads(1).enable_all().build()
}
