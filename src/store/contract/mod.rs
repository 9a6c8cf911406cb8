//! What every backend of the store is held to: one suite, run against each of them.
//!
//! A backend's tests say `store_contract!(fresh)`, where `fresh()` is a future of an empty store and of what keeps its
//! place (a directory, a server), which is a [`Place`]. Each function here becomes a test of that backend.

mod agents;
mod codes;
mod connections;
mod consents;
mod devices;
mod exchanges;
mod grants;
mod life;
mod logouts;
mod native;
mod refresh;
mod registered;
mod requests;
mod revocations;
mod sealed;
mod upkeep;

pub use self::{
    agents::*, codes::*, connections::*, consents::*, devices::*, exchanges::*, grants::*, life::*, logouts::*,
    native::*, refresh::*, registered::*, requests::*, revocations::*, sealed::*, upkeep::*,
};

use std::{sync::Arc, time::Duration};

use super::{
    CodeRecord, Grant, GrantUser, NewAccessToken, NewGrant, NewRefreshToken, RefreshStep, RefreshSuccession, Store,
};
use crate::{
    clock::UnixTime,
    oauth::{Actor, ClientId, GrantId, KeyThumbprint, Resources, Scopes, Subject, TokenHash, UserName},
};

/// A store to be tested.
pub type Tested = Arc<dyn Store>;

/// Makes a test of each function of the suite.
macro_rules! store_contract {
    (@ $fresh:path: $($test:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let (store, _place) = $fresh().await;
            $crate::store::contract::$test(store).await;
        }
    )+};
    ($fresh:path) => {
        $crate::store::contract::store_contract! { @ $fresh:
            a_request_is_found_until_it_is_taken,
            of_many_takers_of_a_request_one_gets_it,
            an_expired_request_is_absent,
            of_many_users_of_what_may_be_used_once_one_is_first,
            a_code_is_taken_as_it_was_put,
            an_unknown_and_an_expired_code_are_absent,
            of_200_takers_of_a_code_one_gets_it,
            a_replayed_code_ends_its_grant,
            a_grant_issued_after_the_replay_of_its_code_is_ended,
            a_grant_from_a_code_that_nobody_knows_is_ended,
            a_tombstone_outlives_the_code_while_its_grant_lives,
            tombstones_that_stay_do_not_end_a_round_of_purging,
            a_device_gets_once_what_its_user_granted,
            a_denied_device_hears_of_it,
            a_device_that_polls_too_early_must_wait_longer_each_time,
            a_device_code_expires_whatever_was_decided,
            a_device_code_is_its_clients_alone,
            a_user_code_stands_for_one_device,
            of_many_polls_of_a_granted_device_one_gets_it,
            what_was_granted_to_a_device_is_void_after_its_user_or_client_was_revoked,
            a_grant_ends_with_the_one_that_it_was_made_from,
            a_grant_made_from_one_that_has_ended_is_ended,
            grants_of_others_end_with_those_that_they_were_made_from_whatever_ends_these,
            a_reuse_ends_what_was_made_from_the_grant,
            an_access_token_is_known_until_it_expires,
            a_grant_without_refresh_token_is_issued,
            a_grant_id_is_used_once,
            a_refresh_token_is_known_until_it_expires,
            a_rotated_token_gives_its_successor_within_the_grace,
            a_rotated_token_ends_the_grant_after_the_grace,
            a_retry_after_the_successor_was_used_ends_the_grant,
            a_retry_after_the_successor_was_kept_ends_the_grant,
            a_retry_with_another_successor_ends_the_grant,
            a_rotated_token_is_reused_when_its_client_rotates_no_more,
            of_20_refreshes_with_one_token_one_rotates_it,
            a_kept_token_stays_and_its_end_moves,
            an_added_token_leaves_the_earlier_ones_valid,
            a_refresh_with_an_unknown_an_expired_or_an_ended_token_is_absent,
            a_revoked_grant_answers_for_no_token,
            a_revoked_user_loses_everything_and_others_nothing,
            a_revoked_client_loses_its_grants_and_consents,
            an_open_code_is_void_after_its_user_or_client_was_revoked,
            the_feed_tells_each_ended_grant_once_and_in_order,
            a_consent_is_bound_to_client_user_subject_and_redirect_uri,
            a_consent_replaces_the_earlier_one,
            a_login_is_known_until_it_expires_or_ends,
            a_session_claim_is_kept_per_login_and_client,
            a_user_sees_what_clients_may_do,
            a_user_ends_what_one_client_may_do,
            a_login_session_ends_with_its_grants_and_no_others,
            a_grant_of_a_login_session_that_has_ended_is_ended,
            a_login_session_goes_on_in_another,
            who_is_to_be_told_is_due_until_told,
            a_notice_is_given_up_in_the_end,
            a_logout_request_is_found_until_it_is_taken,
            a_shadow_token_is_kept_replaced_and_taken,
            the_first_signing_key_of_an_algorithm_stays,
            a_signing_key_is_followed_by_one_other,
            a_signing_key_to_come_is_brought_forward,
            of_many_successors_of_a_signing_key_one_is_kept,
            replaced_signing_keys_are_gone,
            signing_keys_are_forgotten_once_they_have_a_successor,
            of_many_first_signing_keys_one_is_kept,
            allowances_add_up,
            living_grants_are_counted_by_client,
            purging_goes_in_batches_and_spares_what_lives,
            purging_forgets_the_feed_but_not_its_end,
            the_store_is_ready,
            a_native_row_is_a_grant_like_any_other,
            a_native_row_that_ended_here_does_not_come_back_and_is_spent,
            a_native_row_that_is_revoked_upstream_ends_its_grant,
            a_native_row_that_changes_upstream_changes_here,
            a_native_refresh_token_is_adopted_once_by_many_at_once,
            a_native_row_that_vanishes_upstream_ends_its_grant,
            native_rows_without_use_to_anybody_are_only_remembered,
            native_tokens_are_counted_by_client_and_use,
            the_cursor_of_native_rows_is_kept,
            the_list_of_upstream_clients_is_replaced_whole,
            a_registered_client_is_kept_changed_and_removed,
            a_client_that_is_another_loses_its_consents_with_the_change,
            a_client_that_never_was_used_gives_way_to_a_new_one,
            registered_clients_that_nobody_uses_are_removed,
            what_agents_did_adds_up_by_day,
            stopped_agents_lose_their_grants_and_stay_stopped,
            many_writers_at_once_all_succeed,
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn the_lives_of_grants_follow_the_rules() {
            let (_store, place) = $fresh().await;
            $crate::store::contract::the_lives_of_grants_follow_the_rules(&place);
        }
    };
}
pub(in crate::store) use store_contract;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const GRACE: Duration = Duration::from_secs(30);

/// The moment at which every test begins.
fn start() -> UnixTime {
    UnixTime::from_secs(1_800_000_000)
}

fn later(by: Duration) -> UnixTime {
    start().plus(by)
}

fn hash(name: &str) -> TokenHash {
    TokenHash::of(name)
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).expect("scopes")
}

fn resources(path: &str) -> Resources {
    Resources::kept(vec![format!("https://erp.example.com{path}")])
}

fn user(name: &str) -> GrantUser {
    GrantUser { name: UserName::new(name), sub: Subject::new(format!("sub of {name}")) }
}

/// A code for the grant `grant`, for ten minutes.
fn code(grant: &str) -> CodeRecord {
    CodeRecord {
        grant: GrantId::new(grant),
        client: ClientId::new("client"),
        user: user("alice"),
        redirect_uri: "https://client.example/back".to_owned(),
        redirect_uri_named: true,
        scopes: scopes("all openid"),
        nonce: Some("nonce".to_owned()),
        code_challenge: None,
        auth_time: Some(start()),
        session_claim: Some("sid".to_owned()),
        id_token_claims: vec!["email".to_owned()],
        userinfo_claims: vec!["phone_number".to_owned()],
        dpop_key: Some(KeyThumbprint::from_bytes([7; 32])),
        resources: resources("/mcp"),
        login: Some(hash("login")),
        issued_at: start(),
        expires_at: later(Duration::from_secs(600)),
    }
}

fn access(name: &str, issued_at: UnixTime) -> NewAccessToken {
    NewAccessToken {
        hash: hash(name),
        scopes: scopes("openid"),
        issued_at,
        expires_at: issued_at.plus(HOUR),
        dpop_key: Some(KeyThumbprint::from_bytes([9; 32])),
        resources: resources("/mcp"),
    }
}

/// A grant of alice's to `client` with the tokens `<id> access` for an hour and `<id> refresh` for a day.
fn grant(id: &str) -> NewGrant {
    NewGrant {
        grant: Grant {
            id: GrantId::new(id),
            client: ClientId::new("client"),
            user: user("alice"),
            scopes: scopes("all openid"),
            created_at: start(),
            auth_time: Some(start().minus(HOUR)),
            session_claim: Some("sid".to_owned()),
            id_token_claims: vec!["email".to_owned(), "name".to_owned()],
            userinfo_claims: vec!["phone_number".to_owned()],
            dpop_key: Some(KeyThumbprint::from_bytes([8; 32])),
            act: Actor::after(None, ClientId::new("client")),
            resources: resources("/mcp"),
        },
        access: access(&format!("{id} access"), start()),
        refresh: Some(NewRefreshToken {
            hash: hash(&format!("{id} refresh")),
            issued_at: start(),
            expires_at: later(DAY),
        }),
        from_code: None,
        in_login: None,
        made_from: None,
    }
}

async fn issued(store: &Tested, id: &str) -> NewGrant {
    let new = grant(id);
    store.issue_grant(new.clone()).await.expect("issued");
    new
}

/// A refresh with `presented` at `now`, whose new access token is `<presented> access at <now>`, for another day.
fn step(presented: &str, succession: RefreshSuccession, now: UnixTime) -> RefreshStep {
    RefreshStep {
        presented: hash(presented),
        succession,
        access: access(&format!("{presented} access at {now}"), now),
        refresh_expires_at: now.plus(DAY),
        now,
    }
}

fn rotate(successor: &str) -> RefreshSuccession {
    let grace_millis = u64::try_from(GRACE.as_millis()).expect("a short grace");
    RefreshSuccession::Rotate { successor: hash(successor), grace_millis }
}

async fn is_active(store: &Tested, access: &str, now: UnixTime) -> bool {
    store.access_token(hash(access), now).await.expect("an answer").is_some()
}

async fn can_refresh(store: &Tested, refresh: &str, now: UnixTime) -> bool {
    store.refresh_token(hash(refresh), now).await.expect("an answer").is_some()
}

async fn feed(store: &Tested) -> Vec<GrantId> {
    let feed = store.revocations_after(super::RevocationSeq::default()).await.expect("the feed");
    feed.into_iter().map(|revocation| revocation.grant).collect()
}

/// Waits for all of them at once.
async fn all<T: Send + 'static>(futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("no panic"));
    }
    outcomes
}
