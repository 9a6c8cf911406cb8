//! What agents do in a day, and the operator's switch.

use super::{DAY, Tested, feed, grant, hash, is_active, issued, later, start};
use crate::{
    oauth::{ClientId, GrantId},
    store::{AgentUse, Day, NewGrant, StoppedAgents},
};

fn used(client: &str, day: u64, requests: u64, writes: u64) -> AgentUse {
    AgentUse { client: ClientId::new(client), day: Day(day), requests, writes }
}

pub async fn what_agents_did_adds_up_by_day(store: Tested) {
    let today = start().secs() / 86_400;
    let all = vec![used("b", today, 3, 1), used("a", today, 1, 0), used("a", today + 1, 7, 7)];
    store.count_agent_uses(all).await.expect("counted");
    store.count_agent_uses(vec![used("a", today, 2, 2)]).await.expect("counted");
    let of = async |day| store.agent_uses(Day(day)).await.expect("the uses");
    assert_eq!(of(today).await, [used("a", today, 3, 2), used("b", today, 3, 1)]);
    assert_eq!(of(today + 1).await, [used("a", today + 1, 7, 7)]);
    assert_eq!(of(today + 2).await, []);
    store.purge(later(DAY), 100).await.expect("purged");
    assert_eq!(of(today).await.len(), 2, "kept for some days");
    store.purge(later(DAY * 9), 100).await.expect("purged");
    assert_eq!((of(today).await.len(), of(today + 1).await.len()), (0, 0));
}

pub async fn stopped_agents_lose_their_grants_and_stay_stopped(store: Tested) {
    issued(&store, "g").await;
    let other = grant("other");
    let other = NewGrant { grant: crate::store::Grant { client: ClientId::new("other"), ..other.grant }, ..other };
    store.issue_grant(other).await.expect("issued");
    assert_eq!(store.agents_stopped_since().await.expect("the state"), None);
    assert!(!store.start_agents().await.expect("an answer"), "they run");

    let agents = || vec![ClientId::new("client"), ClientId::new("unknown")];
    let stopped = store.stop_agents(agents(), start()).await.expect("stopped");
    assert_eq!(stopped, StoppedAgents { ran: true, ended: vec![GrantId::new("g")] });
    assert!(!is_active(&store, "g access", start()).await && is_active(&store, "other access", start()).await);
    assert_eq!(feed(&store).await, [GrantId::new("g")]);
    assert!(store.refresh_token(hash("g refresh"), start()).await.expect("an answer").is_none());

    issued(&store, "late").await;
    let again = store.stop_agents(agents(), later(DAY)).await.expect("stopped");
    assert_eq!(again, StoppedAgents { ran: false, ended: vec![GrantId::new("late")] });
    assert_eq!(store.agents_stopped_since().await.expect("the state"), Some(start()), "since the first time");
    assert!(store.start_agents().await.expect("an answer"));
    assert_eq!(store.agents_stopped_since().await.expect("the state"), None);
}
