//! The life of a grant under random steps, against a model of the rules.

use std::collections::BTreeMap;

use super::{DAY, GRACE, HOUR, Tested, grant, hash, rotate, start};
use crate::{
    clock::UnixTime,
    oauth::GrantId,
    random::{Random, SeededRandom},
    store::{NewGrant, NewRefreshToken, RefreshOutcome, RefreshStep},
};

/// One refresh token as the rules see it.
#[derive(Clone, Debug)]
struct Refresh {
    generation: u32,
    expires_at: UnixTime,
    rotated_at: Option<UnixTime>,
}

/// A grant whose client rotates: refresh tokens by their generation, access tokens by number.
#[derive(Debug)]
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

async fn take_a_step(store: &Tested, model: &mut Model, chance: u64, number: usize) {
    match chance % 16 {
        0 => {
            let revoked = store.revoke_grant(&GrantId::new(model.id.clone()), model.now).await.expect("an answer");
            assert_eq!(revoked, !std::mem::replace(&mut model.ended, true));
        }
        1 => model.now = model.now.plus(DAY / 2),
        2 | 3 => model.now = model.now.plus(GRACE),
        4 | 5 => model.now = model.now.plus(GRACE / 3),
        6 => {
            store.purge(model.now, 2).await.expect("purged");
        }
        _ => {
            // Mostly the newest, often the one before, seldom an older one or one that was never given.
            let back = [0, 0, 0, 0, 1, 1, 1, 2, 3].get(usize::try_from(chance >> 8).expect("64 bits") % 9).copied();
            let generation = (model.refresh.len() - 1).saturating_sub(back.unwrap_or(0));
            let name = format!("{} access {number}", model.id);
            let step = RefreshStep {
                presented: hash(&model.refresh_name(generation)),
                succession: rotate(&model.refresh_name(generation + 1)),
                access: super::NewAccessToken { hash: hash(&name), ..super::access(&name, model.now) },
                refresh_expires_at: model.now.plus(DAY),
                now: model.now,
            };
            let outcome = store.rotate_refresh(step).await.expect("an answer");
            assert_eq!(outcome, model.refresh(generation, &name), "generation {generation} of {model:?}");
        }
    }
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

pub async fn the_life_of_a_grant_follows_the_rules(store: Tested) {
    for seed in 0..40 {
        let random: &dyn Random = &SeededRandom::new(seed);
        let mut model = issue(&store, format!("seed {seed}")).await;
        for number in 0..20 {
            take_a_step(&store, &mut model, u64::from_be_bytes(random.bytes()), number).await;
            assert_same(&store, &model).await;
        }
    }
}
