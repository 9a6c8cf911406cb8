//! What the operator's signals do: SIGTERM and SIGINT drain, a second one leaves at once, SIGHUP reloads.

use std::{io, sync::mpsc, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{
    lifecycle::{Drained, Running},
    systemd,
};

enum Event {
    Terminate,
    Reload,
    Drained(Drained),
}

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
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let (sender, events) = mpsc::channel();
        let taken = sender.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let event = if signal == SIGHUP { Event::Reload } else { Event::Terminate };
                if taken.send(event).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { events, sender })
    }

    /// Lets `running` run until a signal ends it, and tells systemd about it; SIGHUP calls `reload`.
    #[must_use]
    pub fn run(&self, running: &Running, reload: impl Fn()) -> Ended {
        systemd::ready(running);
        let mut draining = false;
        loop {
            match self.events.recv() {
                // Who leaves takes nothing over.
                Ok(Event::Reload) if draining => {}
                Ok(Event::Reload) => reload(),
                Ok(Event::Terminate) if !draining => {
                    draining = true;
                    tracing::info!("draining: a second signal ends it at once");
                    systemd::stopping();
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
