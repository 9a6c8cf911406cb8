//! A bearer token opens a websocket or an answer without an end, and is revoked: the check at the start does not help
//! any more. So the token of such an answer is checked again every few seconds, as if a new request came with it, and
//! when it is not good any more the answer ends. So does a poll that the realtime server holds. Answers that are short
//! by their own word cost nothing here.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Context,
    time::Duration,
};

use futures_util::{FutureExt, task::AtomicWaker};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH},
};
use pingora::{Error, ErrorSource, ErrorType};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

use super::{Gateway, context::RequestContext, upstream::Asked};
use crate::{
    access::{AccessCheck, Denial, Proof, Sent},
    clock::Clock,
    http1::Fields,
    route::Terms,
};

/// Between two looks at a token. With the time that a look takes, an answer ends within five seconds.
const LOOK_INTERVAL: Duration = Duration::from_millis(2500);
// Tests on a busy machine must be more patient than the promise, so it is held here.
const _: () = assert!(LOOK_INTERVAL.as_millis() * 2 <= 5000);
/// As long as whether a token is good can't be told, it is believed for so long: no longer than one in memory.
const BELIEVED: Duration = Duration::from_secs(60);
/// An answer that says it is no longer than this is over soon.
const SHORT: u64 = 1024 * 1024;

/// Marks the error that ends an answer whose token is not good any more.
pub(super) const ENDED: ErrorType = ErrorType::new("TokenEnded");

tokio::task_local! {
    static CONNECTION: Arc<Cut>;
}

/// Ends a downstream connection from elsewhere, whatever it waits for.
#[derive(Debug, Default)]
pub struct Cut {
    /// Somebody may cut: until then looking costs no more than this.
    armed: AtomicBool,
    done: AtomicBool,
    waiting: AtomicWaker,
}

impl Cut {
    /// Runs what serves a request of the connection.
    pub async fn during<F: Future>(self: &Arc<Self>, request: F) -> F::Output {
        CONNECTION.scope(Arc::clone(self), request).await
    }

    /// That of the connection whose request is being served, where [`Self::during`] serves it.
    pub(super) fn of_connection() -> Option<Arc<Self>> {
        CONNECTION.try_with(Arc::clone).ok()
    }

    /// Whether the connection has been cut; if not, the task is woken when it is.
    pub fn is_done(&self, context: &Context<'_>) -> bool {
        if !self.armed.load(Ordering::Relaxed) {
            return false;
        }
        self.waiting.register(context.waker());
        self.done.load(Ordering::Acquire)
    }

    fn cut(&self) {
        self.done.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

/// As long as it lives, the token is looked at.
#[derive(Debug)]
pub struct Lease {
    ended: Arc<AtomicBool>,
    watcher: AbortHandle,
}

impl Lease {
    /// Whether the token has turned out not to be good any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// For each piece that passes: where streams share a connection, that alone is not cut for one of them.
    pub(super) fn check(lease: Option<&Self>) -> pingora::Result<()> {
        match lease {
            Some(lease) if lease.has_ended() => {
                Err(Error::create(ENDED, ErrorSource::Downstream, Some("its token is not good any more".into()), None))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// Gives the request a lease, if it has a token and none yet.
pub(super) fn take<F: Fields>(gateway: &Gateway, asked: &Asked<'_, F>, context: &mut RequestContext) {
    if context.permit.is_some() && context.lease.is_none() {
        context.lease = begin(gateway, asked, context);
    }
}

/// The same where the answer that begins needs one.
pub(super) fn take_for<F: Fields>(
    gateway: &Gateway,
    asked: &Asked<'_, F>,
    (status, answer): (StatusCode, &impl Fields),
    context: &mut RequestContext,
) {
    if *asked.method != Method::HEAD && may_last(status, answer) {
        take(gateway, asked, context);
    }
}

fn begin<F: Fields>(gateway: &Gateway, asked: &Asked<'_, F>, context: &RequestContext) -> Option<Lease> {
    let mut headers = HeaderMap::with_capacity(1);
    let presented = asked.fields.each(&AUTHORIZATION).next()?;
    headers.insert(AUTHORIZATION, HeaderValue::from_bytes(presented).ok()?);
    let watch = Watch {
        access: Arc::clone(&gateway.parts.access),
        clock: Arc::clone(&gateway.parts.clock),
        terms: context.terms.clone()?,
        headers,
    };
    let cut = asked.cut.clone();
    if let Some(cut) = &cut {
        cut.armed.store(true, Ordering::Relaxed);
    }
    let ended = Arc::new(AtomicBool::new(false));
    let (flag, counts) = (Arc::clone(&ended), gateway.parts.metrics.access.clone());
    let watcher = tokio::spawn(async move {
        watch.until_ended().await;
        flag.store(true, Ordering::Release);
        counts.ended();
        if let Some(cut) = cut {
            cut.cut();
        }
    });
    Some(Lease { ended, watcher: watcher.abort_handle() })
}

fn may_last(status: StatusCode, answer: &impl Fields) -> bool {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return false;
    }
    let length = answer.each(&CONTENT_LENGTH).next();
    let length = length.and_then(|length| std::str::from_utf8(length).ok()?.parse::<u64>().ok());
    length.is_none_or(|length| length > SHORT)
}

/// What a look at the token takes.
struct Watch {
    access: Arc<AccessCheck>,
    clock: Arc<dyn Clock>,
    terms: Terms,
    headers: HeaderMap,
}

impl Watch {
    async fn until_ended(&self) {
        let mut believed = Instant::now();
        loop {
            sleep(LOOK_INTERVAL).await;
            match self.look().await {
                Ok(()) => believed = Instant::now(),
                Err(denial) if ends(&denial, believed.elapsed()) => return,
                Err(_) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), Denial> {
        let sent = Sent { token_in_query: false, proof_of: Proof::WasGiven };
        let check = self.access.check(&self.terms, &self.headers, sent, self.clock.now());
        AssertUnwindSafe(check).catch_unwind().await.unwrap_or(Err(Denial::Broken)).map(|_| ())
    }
}

/// Whether an answer ends for this denial, when its token was last found good so long ago.
fn ends(denial: &Denial, since: Duration) -> bool {
    let cannot_tell = denial.answer().status.is_server_error();
    !cannot_tell || since >= BELIEVED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_last_is_watched_and_what_is_short_by_its_own_word_is_not() {
        let answer = |status: u16, length: Option<&str>| {
            let length = length.map(|length| (CONTENT_LENGTH, HeaderValue::from_str(length).expect("a value")));
            may_last(StatusCode::from_u16(status).expect("a status"), &length.into_iter().collect::<HeaderMap>())
        };
        assert!(answer(101, None));
        assert!(answer(200, None), "until it ends, or in chunks");
        assert!(answer(200, Some("1048577")));
        assert!(!answer(200, Some("1048576")));
        assert!(!answer(200, Some("0")));
        assert!(!answer(204, None));
        assert!(!answer(304, None));
    }

    #[test]
    fn a_token_that_is_not_good_ends_it_at_once_and_one_that_cannot_be_checked_after_a_minute() {
        let scope = Denial::InsufficientScope("all".to_owned());
        for denial in [Denial::InactiveToken, Denial::UserGone, Denial::MalformedToken, scope] {
            assert!(ends(&denial, Duration::ZERO), "{denial:?}");
        }
        for denial in [Denial::LookupFailed, Denial::UpstreamUnavailable, Denial::Broken] {
            assert!(!ends(&denial, Duration::from_secs(59)), "{denial:?}");
            assert!(ends(&denial, Duration::from_secs(60)), "{denial:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_wakes_who_waits_and_one_that_nobody_can_make_costs_no_waker() {
        let cut = Arc::new(Cut::default());
        let waits = |cut: Arc<Cut>| {
            std::future::poll_fn(move |context| {
                if cut.is_done(context) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
        };
        assert!(waits(Arc::clone(&cut)).now_or_never().is_none());
        assert!(cut.waiting.take().is_none());
        cut.armed.store(true, Ordering::Relaxed);
        let waiting = tokio::spawn(waits(Arc::clone(&cut)));
        tokio::task::yield_now().await;
        cut.cut();
        waiting.await.expect("it was woken");
    }
}
