//! The lives of two grants of one user under any steps, against a model of the rules: issued, refreshed, by many at once
//! too, reused, revoked, expired, cleared away, through restarts.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Handle, task::block_in_place};

use super::{DAY, GRACE, HOUR, Tested, all, grant, hash, rotate, start};
use crate::{
    clock::UnixTime,
    oauth::{GrantId, UserName},
    store::{NewGrant, NewRefreshToken, RefreshOutcome, RefreshStep},
};

/// Where a store is kept.
pub trait Place: Send + Sync {
    /// Opens it as another process would.
    fn open(&self) -> impl Future<Output = Tested> + Send;
}

/// One refresh token as the rules see it.
#[derive(Clone, Debug)]
struct Refresh {
    generation: u32,
    expires_at: UnixTime,
    rotated_at: Option<UnixTime>,
}

/// A grant whose client rotates: refresh tokens by their generation, access tokens by number.
#[derive(Clone, Debug)]
struct Model {
    id: String,
    refresh: Vec<Refresh>,
    access: BTreeMap<String, UnixTime>,
    ended: bool,
    now: UnixTime,
}

impl Model {
    fn refresh_name(&self, generation: usize) -> String {
        format!("{} refresh {generation}", self.id)
    }

    /// What a refresh with the token of this generation must give, and does to the grant.
    fn refresh(&mut self, generation: usize, access: &str) -> RefreshOutcome {
        let now = self.now;
        let Some(presented) = self.refresh.get(generation).filter(|token| !self.ended && token.expires_at > now) else {
            return RefreshOutcome::Absent;
        };
        let outcome = match (presented.rotated_at, self.refresh.get(generation + 1)) {
            (None, _) => RefreshOutcome::Refreshed,
            (Some(at), Some(successor)) if now.since(at) < GRACE && successor.rotated_at.is_none() => {
                RefreshOutcome::Graced
            }
            _ => RefreshOutcome::Reused(GrantId::new(self.id.clone())),
        };
        let next = presented.generation + 1;
        match &outcome {
            RefreshOutcome::Refreshed => {
                self.refresh[generation].rotated_at = Some(now);
                self.refresh.push(Refresh { generation: next, expires_at: now.plus(DAY), rotated_at: None });
            }
            RefreshOutcome::Graced => self.refresh[generation + 1].expires_at = now.plus(DAY),
            _ => self.ended = true,
        }
        if !self.ended {
            self.access.insert(access.to_owned(), now.plus(HOUR));
        }
        outcome
    }
}

async fn issue(store: &Tested, id: String) -> Model {
    let access = format!("{id} access");
    let mut model = Model { id, refresh: Vec::new(), access: BTreeMap::new(), ended: false, now: start() };
    model.refresh.push(Refresh { generation: 0, expires_at: start().plus(DAY), rotated_at: None });
    model.access.insert(access, start().plus(HOUR));
    let first =
        NewRefreshToken { hash: hash(&model.refresh_name(0)), issued_at: start(), expires_at: start().plus(DAY) };
    store.issue_grant(NewGrant { refresh: Some(first), ..grant(&model.id) }).await.expect("issued");
    model
}

/// What may happen. `grant`: to which of the two; `back`: with which refresh token, counted from the newest.
#[derive(Clone, Debug)]
enum Step {
    /// A refresh, or so many at once with one token.
    Refresh {
        grant: usize,
        back: usize,
        at_once: usize,
    },
    /// A refresh while the grant is being revoked.
    RefreshBesideRevocation {
        grant: usize,
        back: usize,
    },
    Revoke {
        grant: usize,
    },
    RevokeUser,
    Wait(Duration),
    Purge,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = || 0..2_usize;
    // Mostly the newest, often the one before, seldom an older one.
    let back = || prop_oneof![4 => Just(0), 3 => Just(1), 1 => Just(2), 1 => Just(3)];
    let at_once = prop_oneof![2 => Just(1), 1 => 2..6_usize];
    let wait = prop_oneof![3 => Just(GRACE / 3), 3 => Just(GRACE), 1 => Just(HOUR), 1 => Just(DAY / 2)];
    let step = prop_oneof![
        10 => (which(), back(), at_once).prop_map(|(grant, back, at_once)| Step::Refresh { grant, back, at_once }),
        1 => (which(), back()).prop_map(|(grant, back)| Step::RefreshBesideRevocation { grant, back }),
        1 => which().prop_map(|grant| Step::Revoke { grant }),
        1 => Just(Step::RevokeUser),
        6 => wait.prop_map(Step::Wait),
        1 => Just(Step::Purge),
        2 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..24)
}

/// Two grants, as the store has them and as they must be.
struct Life {
    store: Tested,
    grants: [Model; 2],
    asked: usize,
}

impl Life {
    async fn begin(store: Tested, name: usize) -> Self {
        let grants = [issue(&store, format!("{name} a")).await, issue(&store, format!("{name} b")).await];
        Self { store, grants, asked: 0 }
    }

    async fn take(mut self, step: &Step, place: &impl Place) -> Self {
        match *step {
            Step::Refresh { grant, back, at_once } => self.refresh(grant, back, at_once).await,
            Step::RefreshBesideRevocation { grant, back } => self.refresh_beside_revocation(grant, back).await,
            Step::Revoke { grant } => {
                let model = &mut self.grants[grant];
                let revoked = revoke(self.store.clone(), model.clone()).await;
                assert_eq!(revoked, !std::mem::replace(&mut model.ended, true), "{model:?}");
            }
            Step::RevokeUser => self.revoke_user().await,
            Step::Wait(time) => self.grants.iter_mut().for_each(|model| model.now = model.now.plus(time)),
            Step::Purge => {
                self.store.purge(self.grants[0].now, 2).await.expect("purged");
            }
            Step::Restart => {
                drop(self.store);
                return Self { store: place.open().await, ..self };
            }
        }
        self
    }

    async fn refresh(&mut self, grant: usize, back: usize, at_once: usize) {
        let model = &mut self.grants[grant];
        let generation = (model.refresh.len() - 1).saturating_sub(back);
        let names: Vec<_> = (0..at_once).map(|number| format!("{} access {}", model.id, self.asked + number)).collect();
        self.asked += at_once;
        let asked = names.iter().map(|name| refresh(self.store.clone(), model.clone(), generation, name.clone()));
        let mut outcomes = all(asked).await;
        let mut expected: Vec<_> = names.iter().map(|name| model.refresh(generation, name)).collect();
        outcomes.sort_by_key(|outcome| format!("{outcome:?}"));
        expected.sort_by_key(|outcome| format!("{outcome:?}"));
        assert_eq!(outcomes, expected, "generation {generation} of {model:?}");
    }

    async fn refresh_beside_revocation(&mut self, grant: usize, back: usize) {
        let model = &mut self.grants[grant];
        let generation = (model.refresh.len() - 1).saturating_sub(back);
        let name = format!("{} access beside {}", model.id, self.asked);
        self.asked += 1;
        let (outcome, revoked) = tokio::join!(
            refresh(self.store.clone(), model.clone(), generation, name.clone()),
            revoke(self.store.clone(), model.clone()),
        );
        let before = (RefreshOutcome::Absent, !model.ended);
        let after = (model.refresh(generation, &name), !std::mem::replace(&mut model.ended, true));
        assert!([&before, &after].contains(&&(outcome.clone(), revoked)), "{outcome:?}, {revoked}: {model:?}");
    }

    async fn revoke_user(&mut self) {
        let ended = self.store.revoke_user(&UserName::new("alice"), self.grants[0].now).await.expect("an answer");
        for model in &mut self.grants {
            let told = ended.contains(&GrantId::new(model.id.clone()));
            assert_eq!(told, !std::mem::replace(&mut model.ended, true), "{model:?}");
        }
    }
}

async fn refresh(store: Tested, model: Model, generation: usize, access: String) -> RefreshOutcome {
    let step = RefreshStep {
        presented: hash(&model.refresh_name(generation)),
        succession: rotate(&model.refresh_name(generation + 1)),
        access: super::access(&access, model.now),
        refresh_expires_at: model.now.plus(DAY),
        now: model.now,
    };
    store.rotate_refresh(step).await.expect("an answer")
}

async fn revoke(store: Tested, model: Model) -> bool {
    store.revoke_grant(&GrantId::new(model.id), model.now).await.expect("an answer")
}

async fn assert_same(store: &Tested, model: &Model) {
    for (name, expires_at) in &model.access {
        let expected = !model.ended && *expires_at > model.now;
        assert_eq!(super::is_active(store, name, model.now).await, expected, "{name} of {model:?}");
    }
    for (generation, token) in model.refresh.iter().enumerate() {
        let facts = store.refresh_token(hash(&model.refresh_name(generation)), model.now).await.expect("an answer");
        let facts = facts.map(|facts| (facts.generation, facts.expires_at, facts.rotated_at, facts.newest));
        let newest = generation + 1 == model.refresh.len();
        let expected = (!model.ended && token.expires_at > model.now).then_some((
            token.generation,
            token.expires_at,
            token.rotated_at,
            newest,
        ));
        assert_eq!(facts, expected, "generation {generation} of {model:?}");
    }
}

async fn live(place: &impl Place, name: usize, steps: &[Step]) {
    let mut life = Life::begin(place.open().await, name).await;
    for step in steps {
        life = life.take(step, place).await;
        for model in &life.grants {
            assert_same(&life.store, model).await;
        }
    }
}

pub fn the_lives_of_grants_follow_the_rules(place: &impl Place) {
    // Each case finds what the ones before it left.
    let name = AtomicUsize::new(0);
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let lived = block_in_place(|| {
        TestRunner::new(config).run(&steps(), |steps| {
            Handle::current().block_on(live(place, name.fetch_add(1, Ordering::Relaxed), &steps));
            Ok(())
        })
    });
    lived.unwrap_or_else(|failure| panic!("{failure}"));
}
