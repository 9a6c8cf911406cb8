//! One look-up for a token at a time: whoever asks meanwhile shares its outcome. When the one who looks goes away, the
//! next of those who wait looks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::cache::Found;
use crate::oauth::TokenHash;

/// The look-ups under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<TokenHash, Arc<Flight>>>);

/// One look-up: its outcome, once there is one. Who holds the lock looks.
type Flight = tokio::sync::Mutex<Option<Found>>;

/// A seat in a look-up.
pub(super) struct Seat<'f> {
    flights: &'f Flights,
    token: TokenHash,
    flight: Arc<Flight>,
}

impl Flights {
    /// What `look_up` finds, or what somebody else's did who was looking already.
    pub(super) async fn share(&self, token: TokenHash, look_up: impl Future<Output = Found>) -> Found {
        let seat = self.board(token);
        let mut outcome = seat.flight.lock().await;
        if let Some(found) = &*outcome {
            return found.clone();
        }
        let found = look_up.await;
        *outcome = Some(found.clone());
        // Who comes from now on asks anew: what was found may have ended meanwhile.
        seat.land();
        found
    }

    fn board(&self, token: TokenHash) -> Seat<'_> {
        let flight = Arc::clone(self.lock().entry(token).or_default());
        Seat { flights: self, token, flight }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    fn land(&self) {
        self.leave(|_| true);
    }

    /// Takes the flight off the list, if it stands there still and `when` says so.
    fn leave(&self, when: impl FnOnce(&Arc<Flight>) -> bool) {
        let mut flights = self.flights.lock();
        if flights.get(&self.token).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight) && when(flight)) {
            flights.remove(&self.token);
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // The list and this seat alone have it: nobody waits any more.
        self.leave(|flight| Arc::strong_count(flight) <= 2);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, panic::AssertUnwindSafe};

    use futures_util::FutureExt;

    use super::*;
    use crate::access::cache::Missed;

    #[tokio::test]
    async fn when_the_one_who_looks_goes_away_the_next_one_looks_and_nothing_stays_behind() {
        let (flights, token) = (Arc::new(Flights::default()), TokenHash::of("a"));
        let (entered, has_entered) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let flights = Arc::clone(&flights);
            async move {
                let look_up = async {
                    entered.send(()).expect("somebody listens");
                    pending().await
                };
                flights.share(token, look_up).await
            }
        });
        has_entered.await.expect("it looks");
        let mut second = Box::pin(flights.share(token, async { Err(Missed::Unknown) }));
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        first.abort();
        assert!(matches!(second.await, Err(Missed::Unknown)));
        assert!(first.await.is_err());
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn a_panic_is_the_looker_s_alone() {
        let (flights, token) = (Flights::default(), TokenHash::of("a"));
        let look_up = flights.share(token, async { panic!("on purpose") });
        assert!(AssertUnwindSafe(look_up).catch_unwind().await.is_err());
        assert!(flights.lock().is_empty());
        assert!(matches!(flights.share(token, async { Err(Missed::Unknown) }).await, Err(Missed::Unknown)));
    }
}
