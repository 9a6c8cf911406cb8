//! How many frames a client may send that carry nothing: PING, SETTINGS, WINDOW_UPDATE, RST_STREAM and their like cost us work
//! and it next to nothing.

use tokio::time::Instant;

/// As much as an allowance ever holds.
const MOST: u32 = 2000;
/// What it gains with time: no client pings more often than a hundred times a second.
const A_SECOND: u32 = 200;
/// A cancelled request has cost more than a frame: 200 at once, as when a page with many open requests is left, and 20 a
/// second for ever.
const RESET: u32 = 10;
/// What a frame of ours lets it send: an update of each window, and one more.
const FOR_OURS: u32 = 3;

/// That of one connection.
#[derive(Debug)]
pub struct Allowance {
    left: u32,
    since: Instant,
}

/// It is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood;

impl Allowance {
    /// A whole one.
    pub const fn new(now: Instant) -> Self {
        Self { left: MOST, since: now }
    }

    /// The client has sent a frame that carries nothing.
    pub fn spend(&mut self, now: Instant) -> Result<(), Flood> {
        self.spend_so_much(1, now)
    }

    /// The client has cancelled a request.
    pub fn spend_for_reset(&mut self, now: Instant) -> Result<(), Flood> {
        self.spend_so_much(RESET, now)
    }

    /// We have sent a frame that carries something.
    pub fn earn(&mut self) {
        self.left = MOST.min(self.left + FOR_OURS);
    }

    fn spend_so_much(&mut self, cost: u32, now: Instant) -> Result<(), Flood> {
        if self.left < cost {
            let millis = now.saturating_duration_since(self.since).as_millis();
            let gained = u32::try_from(millis * u128::from(A_SECOND) / 1000).unwrap_or(MOST);
            // Time that has gained nothing yet is kept.
            if gained > 0 {
                self.since = now;
                self.left = MOST.min(self.left.saturating_add(gained));
            }
        }
        self.left = self.left.checked_sub(cost).ok_or(Flood)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_uses_it_up_and_time_gives_it_back() {
        let begun = Instant::now();
        let mut allowance = Allowance::new(begun);
        let sent = (0..10_000).take_while(|_| allowance.spend(begun).is_ok()).count();
        assert_eq!(sent, 2000);
        let later = begun + Duration::from_secs(1);
        let sent = (0..10_000).take_while(|_| allowance.spend(later).is_ok()).count();
        assert_eq!(sent, 200);
    }

    #[test]
    fn a_download_pays_for_its_window_updates() {
        let begun = Instant::now();
        let mut allowance = Allowance::new(begun);
        for _ in 0..100_000 {
            allowance.earn();
            allowance.spend(begun).and_then(|()| allowance.spend(begun)).expect("two for each frame of ours");
        }
    }

    #[test]
    fn cancelled_requests_cost_more() {
        let begun = Instant::now();
        let mut allowance = Allowance::new(begun);
        let sent = (0..10_000).take_while(|_| allowance.spend_for_reset(begun).is_ok()).count();
        assert_eq!(sent, 200);
    }
}
