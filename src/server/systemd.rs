//! Tells systemd how the server is. Without systemd nothing happens.

use sd_notify::NotifyState;

use super::lifecycle::Running;

/// Everything is up, and this process is the service's from now on, which another one was before.
pub fn taken_over(running: &Running) {
    notify(&[NotifyState::MainPid(std::process::id())]);
    ready(running);
}

/// Everything is up. From now on the watchdog is fed, if it asked for that, from the runtime that serves: when that
/// hangs, the feeding ends.
pub fn ready(running: &Running) {
    notify(&[NotifyState::Ready]);
    if let Some(interval) = sd_notify::watchdog_enabled() {
        running.spawn(async move {
            let mut ticks = tokio::time::interval(interval / 2);
            loop {
                ticks.tick().await;
                notify(&[NotifyState::Watchdog]);
            }
        });
    }
}

/// The configuration is being read again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(reason) => tracing::warn!(%reason, "systemd could not be told"),
    }
}

/// That is over; `status` says what an operator should know.
pub fn reloaded(status: Option<&str>) {
    notify(&[NotifyState::Status(status.unwrap_or_default()), NotifyState::Ready]);
}

/// The drain has begun.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState]) {
    if let Err(reason) = sd_notify::notify(states) {
        tracing::warn!(%reason, "systemd could not be told");
    }
}
