//! Revocations of other processes on the same store: a second one during an upgrade, the command line.
//!
//! While the feed can't be read, what is in memory goes on being believed: no entry is older than `cache.ttl`, and a store
//! that is away must not stop requests that need nothing of it. When the feed can be read again everything is dropped.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::AccessCheck;
use crate::store::{RevocationSeq, StoreError};

/// How soon another process's revocation is heard of.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How far the feed has been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedPosition {
    /// `None` until its end is known, and after a failure.
    read: Option<RevocationSeq>,
    failing: bool,
}

impl AccessCheck {
    /// Follows the feed as long as it is let run.
    pub async fn follow_revocations(&self) {
        let mut position = FeedPosition::default();
        let mut tick = interval(POLL_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            position = self.read_feed(position).await;
        }
    }

    /// One reading of the feed.
    pub async fn read_feed(&self, position: FeedPosition) -> FeedPosition {
        match self.read_behind(position.read).await {
            Ok(read) => {
                if position.failing {
                    tracing::info!("the feed of revocations can be read again");
                }
                FeedPosition { read: Some(read), failing: false }
            }
            Err(error) => {
                if !position.failing {
                    tracing::error!(%error, "the feed of revocations can't be read");
                }
                FeedPosition { read: None, failing: true }
            }
        }
    }

    async fn read_behind(&self, read: Option<RevocationSeq>) -> Result<RevocationSeq, StoreError> {
        let Some(mut read) = read else {
            let end = self.ground.store.last_revocation().await?;
            // After the end is known: a look-up that begins from now on sees all that came before it.
            self.introspector.invalidation.everything();
            return Ok(end);
        };
        for revocation in self.ground.store.revocations_after(read).await? {
            self.introspector.invalidation.grant_ended(&revocation.grant);
            read = read.max(revocation.seq);
        }
        Ok(read)
    }
}
