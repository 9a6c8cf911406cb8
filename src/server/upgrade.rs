//! SIGUSR2: a new process of the binary that is in place by now takes over the listening sockets, which stay open all the
//! time. When it serves it sends SIGTERM to this one, which answers what it has and leaves. One that can't start changes
//! nothing.
//!
//! Both work on the same store for a while. What is revoked in one is heard of in the other within a second.

use std::{
    env,
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, getppid, kill_process};

use super::lifecycle::Running;

/// The first descriptor behind the standard ones: where systemd puts those that it hands over.
const FIRST: i32 = 3;
/// Names the process that is to leave.
const REPLACES: &str = "EMPRESS_GATEWAY_REPLACES";

/// How this process was started, to start another one in the same way.
pub(super) struct Upgrade {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Whether a successor runs.
    successor: Arc<AtomicBool>,
}

impl Upgrade {
    /// Notes the program's path, which the system forgets once another file is there.
    pub(super) fn new() -> io::Result<Self> {
        let (program, arguments) = (env::current_exe()?, env::args_os().skip(1).collect());
        Ok(Self { program, arguments, successor: Arc::default() })
    }

    /// Whether a successor runs, or tries to.
    pub(super) fn has_successor(&self) -> bool {
        self.successor.load(Ordering::Acquire)
    }

    /// Starts the successor, and says in the log if it can't take over.
    pub(super) fn start(&self, running: &Running) {
        if self.successor.swap(true, Ordering::AcqRel) {
            return tracing::warn!("an upgrade is under way already");
        }
        let watched = self.spawn(running).and_then(|mut child| {
            tracing::info!(successor = child.id(), "another process is to take over");
            let successor = Arc::clone(&self.successor);
            thread::Builder::new().name("successor".to_owned()).spawn(move || {
                // This process usually leaves first.
                let ended = child.wait();
                successor.store(false, Ordering::Release);
                tracing::error!(?ended, "the other process has not taken over: this one goes on");
            })
        });
        if let Err(reason) = watched {
            self.successor.store(false, Ordering::Release);
            tracing::error!(program = %self.program.display(), %reason, "no other process can be started");
        }
    }

    fn spawn(&self, running: &Running) -> io::Result<Child> {
        let sockets = running.sockets()?;
        let count = sockets.len().to_string();
        let mapping = |(child_fd, socket)| FdMapping { parent_fd: OwnedFd::from(socket), child_fd };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("LISTEN_FDS", count)
            // Which process it will be is not known before it is one.
            .env_remove("LISTEN_PID")
            .env_remove("WATCHDOG_PID")
            .env(REPLACES, std::process::id().to_string())
            .fd_mappings((FIRST..).zip(sockets).map(mapping).collect())
            .map_err(io::Error::other)?
            .spawn()
    }
}

/// The process that this one is to replace: its parent, if that says so.
pub(super) fn predecessor() -> Option<Pid> {
    #[expect(clippy::disallowed_methods, reason = "what one process hands to the next is no setting")]
    let named = env::var(REPLACES).ok()?;
    let parent = getppid()?;
    (parent.as_raw_nonzero().to_string() == named).then_some(parent)
}

/// Has the predecessor leave.
pub(super) fn take_over(predecessor: Pid) {
    tracing::info!(predecessor = predecessor.as_raw_nonzero(), successor = std::process::id(), "taking over");
    if let Err(reason) = kill_process(predecessor, Signal::TERM) {
        tracing::error!(%reason, "the process before this one can't be told to leave");
    }
}
