//! The rule for peers that are too slow: over a window of time that was spent waiting for the peer, and only for it, a
//! minimum of bytes must have moved.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The least that a peer must move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minimum {
    /// Bytes a second; 0: any.
    pub rate: u64,
    /// The waiting time over which that is measured.
    pub window: Duration,
}

impl Minimum {
    fn bytes(&self) -> u64 {
        let millis = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        (self.rate.saturating_mul(millis) / 1000).max(1)
    }
}

/// The peer moved fewer bytes than it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

/// Counts what a peer moves, and for how long it keeps us waiting.
#[derive(Debug)]
pub struct Meter {
    minimum: Minimum,
    moved: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
}

impl Meter {
    /// Nothing has moved and nobody has waited.
    #[must_use]
    pub const fn new(minimum: Minimum) -> Self {
        Self { minimum, moved: 0, waited: Duration::ZERO, waiting_since: None }
    }

    /// Begins a new window.
    pub fn restart(&mut self) {
        *self = Self::new(self.minimum);
    }

    /// The peer has moved so many bytes.
    pub fn count(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// The peer keeps us waiting, from `now` on if it did not before.
    pub fn wait(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// It does not any more.
    pub fn pause(&mut self, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.waited += now.saturating_duration_since(since);
        }
    }

    /// Whether it does.
    pub const fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// How much longer it may, before it is to be judged.
    ///
    /// # Errors
    /// The window is over, and it was too slow.
    pub fn left(&mut self, now: Instant) -> Result<Duration, TooSlow> {
        let waited =
            self.waited + self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if let Some(left) = self.minimum.window.checked_sub(waited).filter(|left| !left.is_zero()) {
            return Ok(left);
        }
        if self.minimum.rate > 0 && self.moved < self.minimum.bytes() {
            return Err(TooSlow);
        }
        let waiting = self.is_waiting();
        self.restart();
        self.waiting_since = waiting.then_some(now);
        Ok(self.minimum.window.max(SHORTEST_WINDOW))
    }
}

/// So that a window of no length does not make us judge without a pause.
const SHORTEST_WINDOW: Duration = Duration::from_millis(1);

/// One direction of a connection, whose reads or writes may have to wait for the peer.
#[derive(Debug)]
pub struct Pace {
    meter: Meter,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Nothing has moved and nobody has waited.
    #[must_use]
    pub const fn new(minimum: Minimum) -> Self {
        Self { meter: Meter::new(minimum), timer: None }
    }

    /// Begins a new window, for another request.
    pub fn restart(&mut self) {
        self.meter.restart();
    }

    /// The peer has moved so many bytes.
    pub fn moved(&mut self, bytes: usize) {
        if self.meter.is_waiting() {
            self.meter.pause(Instant::now());
        }
        self.meter.count(bytes);
    }

    /// The peer keeps us waiting. Ready when that makes it too slow; otherwise the task is woken when it might be.
    ///
    /// Only a wait can condemn: bytes that had piled up while nobody asked for them count before the next wait does.
    pub fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<TooSlow> {
        if self.meter.minimum.rate == 0 {
            return Poll::Pending;
        }
        loop {
            let now = Instant::now();
            self.meter.wait(now);
            let deadline = match self.meter.left(now) {
                Ok(left) => now + left,
                Err(too_slow) => return Poll::Ready(too_slow),
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            timer.as_mut().reset(deadline);
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::*;

    const MINIMUM: Minimum = Minimum { rate: 100, window: Duration::from_secs(10) };

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_moves_nothing_is_too_slow_after_the_window() {
        let mut pace = Pace::new(MINIMUM);
        let start = Instant::now();
        assert_eq!(poll_fn(|context| pace.poll_too_slow(context)).await, TooSlow);
        assert_eq!(start.elapsed(), MINIMUM.window);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_is_too_slow_and_a_steady_stream_is_not() {
        for (bytes_a_second, too_slow) in [(10, true), (200, false)] {
            let mut pace = Pace::new(MINIMUM);
            let mut condemned = false;
            for _ in 0..35 {
                condemned |=
                    timeout(Duration::from_secs(1), poll_fn(|context| pace.poll_too_slow(context))).await.is_ok();
                pace.moved(bytes_a_second);
            }
            assert_eq!(condemned, too_slow, "{bytes_a_second} bytes a second");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waits_is_not_the_peers_fault() {
        let mut pace = Pace::new(MINIMUM);
        pace.moved(1);
        advance(Duration::from_secs(60)).await;
        let wait = timeout(Duration::from_secs(9), poll_fn(|context| pace.poll_too_slow(context))).await;
        assert!(wait.is_err(), "only the nine seconds of waiting count");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_nought_lets_any_peer_be() {
        let mut pace = Pace::new(Minimum { rate: 0, ..MINIMUM });
        let wait = timeout(Duration::from_secs(600), poll_fn(|context| pace.poll_too_slow(context))).await;
        assert!(wait.is_err());
    }
}
