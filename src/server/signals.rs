//! What the operator's signals do: SIGTERM and SIGINT drain, a second one leaves at once, SIGHUP reloads, SIGUSR2
//! has another process take over.

use std::{io, sync::mpsc, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2},
    iterator::Signals,
};

use super::{
    lifecycle::{Drained, Running},
    systemd,
};

enum Event {
    Terminate,
    Reload,
    Upgrade,
    Drained(Drained),
}

/// What signals ask of the server besides its end.
pub trait Orders {
    /// Takes a changed configuration over.
    fn reload(&self) {}
    /// Has another process take over.
    fn upgrade(&self, _running: &Running) {}
    /// Whether one does, so that the service goes on when this process leaves.
    fn is_replaced(&self) -> bool {
        false
    }
}

/// Such signals change nothing.
impl Orders for () {}

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// After a drain.
    Drained(Drained),
    /// At the second signal, at once.
    AtOnce,
}

/// The process's signals, taken from now on: made before the server starts, so that none kills it half-way.
pub struct SignalWatch {
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
}

impl SignalWatch {
    /// Takes the signals.
    ///
    /// # Errors
    /// The system refuses.
    pub fn install() -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2])?;
        let (sender, events) = mpsc::channel();
        let taken = sender.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let event = match signal {
                    SIGHUP => Event::Reload,
                    SIGUSR2 => Event::Upgrade,
                    _ => Event::Terminate,
                };
                if taken.send(event).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { events, sender })
    }

    /// Lets `running` run until a signal ends it, and tells systemd that it ends.
    #[must_use]
    pub fn run(&self, running: &Running, orders: &impl Orders) -> Ended {
        let mut draining = false;
        loop {
            match self.events.recv() {
                // Who leaves takes nothing over.
                Ok(Event::Reload | Event::Upgrade) if draining => {}
                Ok(Event::Reload) => orders.reload(),
                Ok(Event::Upgrade) => orders.upgrade(running),
                Ok(Event::Terminate) if !draining => {
                    draining = true;
                    tracing::info!("draining: a second signal ends it at once");
                    if !orders.is_replaced() {
                        systemd::stopping();
                    }
                    let sender = self.sender.clone();
                    running.begin_stop(move |drained| {
                        // The loop may have ended meanwhile.
                        let _ = sender.send(Event::Drained(drained));
                    });
                }
                Ok(Event::Drained(drained)) => return Ended::Drained(drained),
                // `self.sender` lives, so the channel can't be closed: leaving is the safe answer all the same.
                Ok(Event::Terminate) | Err(_) => return Ended::AtOnce,
            }
        }
    }
}
