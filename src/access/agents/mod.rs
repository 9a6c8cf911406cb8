//! Agents at the edge: whether the operator lets them run, what a request of one needs, and how much of its budget is left.
//!
//! What was granted with an agent's scopes is held to them also when its client is no agent any more. Tokens of others carry one
//! `None` and cost no more than the look at it. What an agent does is counted in memory and written
//! into the store every few seconds, where all processes add theirs; between two writings each knows only its own.

mod meter;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

pub use self::meter::Budget;
use self::meter::Meter;
use super::Denial;
use crate::{
    clock::UnixTime,
    oauth::{AgentTerms, Client, ClientId, DailyBudget, Scope, Scopes},
    store::{AgentUse, Day, Store, StoreResult},
};

/// What a request does, as it counts for an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// It may change something.
    Write,
}

/// All agents of a site.
#[derive(Debug)]
pub struct Agents {
    stopped: AtomicBool,
    defaults: Budgets,
    meters: Mutex<HashMap<ClientId, Arc<Meter>>>,
}

/// How much an agent may do in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Requests.
    pub requests: DailyBudget,
    /// Those of them that are writes.
    pub writes: DailyBudget,
}

/// An agent, as its tokens know it.
#[derive(Debug)]
pub struct Agent {
    all: Arc<Agents>,
    meter: Arc<Meter>,
    budgets: Budgets,
}

/// What holds a token back besides the rules.
#[derive(Debug)]
pub enum Restraint {
    /// Its scopes alone: its client is no agent, or none any more.
    Scopes,
    /// Its client is an agent.
    Agent(Agent),
}

/// A budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Which.
    pub budget: Budget,
    /// In so many seconds there is a new one.
    pub retry_after: u64,
    /// Whether nobody has been told of it today.
    pub first: bool,
}

impl Agents {
    /// Agents with these budgets, unless their clients say otherwise. They run, as far as is known yet.
    #[must_use]
    pub fn new(defaults: Budgets) -> Arc<Self> {
        Arc::new(Self { stopped: AtomicBool::new(false), defaults, meters: Mutex::default() })
    }

    /// Whether the operator has stopped all agents, as last heard.
    #[must_use]
    pub fn are_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Asks the store whether the operator has stopped them.
    ///
    /// # Errors
    /// When the store can't answer: what was heard last stays.
    pub async fn hear(&self, store: &dyn Store) -> StoreResult<bool> {
        let stopped = store.agents_stopped_since().await?.is_some();
        self.stopped.store(stopped, Ordering::Release);
        Ok(stopped)
    }

    /// How much an agent may do that is on these terms.
    #[must_use]
    pub fn budgets(&self, terms: AgentTerms) -> Budgets {
        self.defaults.with(terms)
    }

    /// What holds a token of this client with these scopes back; `None`: nothing does.
    pub(super) fn restraint(self: &Arc<Self>, client: &Client, scopes: &Scopes) -> Option<Box<Restraint>> {
        let by_scopes = || name_effects(scopes).then_some(Restraint::Scopes);
        self.agent(client).map(Restraint::Agent).or_else(by_scopes).map(Box::new)
    }

    fn agent(self: &Arc<Self>, client: &Client) -> Option<Agent> {
        let terms = client.agent?;
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = Arc::clone(meters.entry(client.id.clone()).or_default());
        Some(Agent { all: Arc::clone(self), meter, budgets: self.budgets(terms) })
    }

    /// Writes what was done since the last time, and takes over what other processes have written.
    ///
    /// # Errors
    /// When the store can't answer: what was not written is written with the next.
    pub async fn settle(&self, store: &dyn Store, now: UnixTime) -> StoreResult<()> {
        let meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let unwritten = meters.iter().flat_map(|(client, meter)| meter.take(client));
        let unwritten: Vec<AgentUse> = unwritten.collect();
        if !unwritten.is_empty()
            && let Err(error) = store.count_agent_uses(unwritten.clone()).await
        {
            for one in unwritten {
                if let Some(meter) = meters.get(&one.client) {
                    meter.put_back(&one);
                }
            }
            return Err(error);
        }
        drop(meters);
        let day = day_of(now);
        self.forget_idle(day);
        for written in store.agent_uses(day).await? {
            let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
            meters.entry(written.client.clone()).or_default().take_over(&written);
        }
        Ok(())
    }

    /// Forgets agents that have no token in memory and have done nothing today.
    fn forget_idle(&self, day: Day) {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.retain(|_, meter| Arc::strong_count(meter) > 1 || meter.is_needed(day));
    }
}

impl Budgets {
    /// These, but for what the terms of one agent say.
    #[must_use]
    pub fn with(self, terms: AgentTerms) -> Self {
        Self {
            requests: terms.requests_per_day.unwrap_or(self.requests),
            writes: terms.writes_per_day.unwrap_or(self.writes),
        }
    }
}

impl Agent {
    /// Whether the operator has stopped it, and all others.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.all.are_stopped()
    }

    /// Takes a request out of the budget.
    ///
    /// # Errors
    /// When one is used up: nothing is taken then.
    pub fn spend(&self, effect: Effect, now: UnixTime) -> Result<(), UsedUp> {
        self.meter.spend(self.budgets, effect, day_of(now)).map_err(|(budget, first)| UsedUp {
            budget,
            retry_after: (day_of(now).0 + 1).saturating_mul(DAY).saturating_sub(now.secs()).max(1),
            first,
        })
    }
}

impl Restraint {
    /// The agent, where the client is one.
    #[must_use]
    pub const fn agent(&self) -> Option<&Agent> {
        match self {
            Self::Scopes => None,
            Self::Agent(agent) => Some(agent),
        }
    }
}

/// Whether scopes say of what they open whether it may be changed. `all` opens everything.
fn name_effects(scopes: &Scopes) -> bool {
    (scopes.contains(Scope::ERP_READ) || scopes.contains(Scope::ERP_WRITE)) && !scopes.contains(Scope::ALL)
}

/// Whether a token of these scopes that is held back may do that.
///
/// # Errors
/// The scope that is missing.
pub fn check_scope(scopes: &Scopes, effect: Effect) -> Result<(), Denial> {
    let may_write = scopes.contains(Scope::ERP_WRITE);
    let (enough, needed) = match effect {
        Effect::Read => (may_write || scopes.contains(Scope::ERP_READ), Scope::ERP_READ),
        Effect::Write => (may_write, Scope::ERP_WRITE),
    };
    if enough { Ok(()) } else { Err(Denial::InsufficientScope(needed.to_owned())) }
}

const DAY: u64 = 86_400;

/// The day on which a moment is.
#[must_use]
pub const fn day_of(now: UnixTime) -> Day {
    Day(now.secs() / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(agents: &Arc<Agents>, terms: AgentTerms) -> Agent {
        let client = crate::config::ClientSettings { id: "agent".to_owned(), ..Default::default() }.to_client();
        agents.agent(&client.into_agent(terms)).expect("an agent")
    }

    fn agents(requests: u64, writes: u64) -> Arc<Agents> {
        Agents::new(Budgets { requests: DailyBudget::of(requests), writes: DailyBudget::of(writes) })
    }

    #[test]
    fn a_read_needs_either_scope_and_a_write_the_one() {
        let may = |scopes, effect| check_scope(&Scopes::parse(scopes).expect("scopes"), effect);
        let needs = |scope: &str| Err(Denial::InsufficientScope(scope.to_owned()));
        for (scopes, read, write) in [
            ("openid erp:read", Ok(()), needs("erp:write")),
            ("erp:write", Ok(()), Ok(())),
            ("openid all", needs("erp:read"), needs("erp:write")),
        ] {
            assert_eq!((may(scopes, Effect::Read), may(scopes, Effect::Write)), (read, write), "{scopes}");
        }
    }

    #[test]
    fn what_was_granted_to_an_agent_is_held_back_when_its_client_is_none_any_more() {
        let agents = agents(1, 1);
        let client = crate::config::ClientSettings { id: "shop".to_owned(), ..Default::default() }.to_client();
        let of = |client: &Client, scopes| agents.restraint(client, &Scopes::parse(scopes).expect("scopes"));
        for scopes in ["openid erp:read", "erp:write", "read:Customer erp:read"] {
            assert!(of(&client, scopes).is_some_and(|held| held.agent().is_none()), "{scopes}");
        }
        for scopes in ["openid", "all", "all erp:read", "read:Customer"] {
            assert!(of(&client, scopes).is_none(), "{scopes}");
        }
        let agent = client.into_agent(AgentTerms::default());
        assert!(of(&agent, "openid").is_some_and(|held| held.agent().is_some()));
    }

    #[test]
    fn a_budget_is_of_a_day_and_shared_by_all_tokens_of_an_agent() {
        let agents = agents(3, 1);
        let (one, other) = (agent(&agents, AgentTerms::default()), agent(&agents, AgentTerms::default()));
        let now = UnixTime::from_secs(20_000 * DAY + DAY - 10);
        assert_eq!(one.spend(Effect::Write, now), Ok(()));
        let used_up = |budget, first| Err(UsedUp { budget, retry_after: 10, first });
        assert_eq!(other.spend(Effect::Write, now), used_up(Budget::Writes, true));
        assert_eq!(one.spend(Effect::Write, now), used_up(Budget::Writes, false));
        assert_eq!((other.spend(Effect::Read, now), one.spend(Effect::Read, now)), (Ok(()), Ok(())), "none was lost");
        assert_eq!(one.spend(Effect::Read, now), used_up(Budget::Requests, true));
        let tomorrow = UnixTime::from_secs(20_001 * DAY);
        assert_eq!((one.spend(Effect::Write, tomorrow), other.spend(Effect::Read, tomorrow)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_client_may_have_budgets_of_its_own() {
        let agents = agents(1, 1);
        let terms = AgentTerms { requests_per_day: Some(DailyBudget::Off), writes_per_day: Some(DailyBudget::of(2)) };
        let one = agent(&agents, terms);
        let outcomes: Vec<_> = (0..3).map(|_| one.spend(Effect::Write, UnixTime::default()).is_ok()).collect();
        assert_eq!(outcomes, [true, true, false]);
        assert!((0..100).all(|_| one.spend(Effect::Read, UnixTime::default()).is_ok()));
    }
}
