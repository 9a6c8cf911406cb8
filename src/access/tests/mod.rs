//! The check against a store and a directory that do as they are told.

mod crowds;
mod fake_directory;
mod fake_store;

use std::{panic::AssertUnwindSafe, sync::atomic::Ordering, time::Duration};

use futures_util::FutureExt;
use http::{HeaderValue, header::AUTHORIZATION};

use self::{fake_directory::FakeDirectory, fake_store::FakeStore};
use super::*;
use crate::{
    clock::{Clock, ManualClock},
    config::{ClientSettings, RouteSettings},
    oauth::{ClientId, GrantId, Resources, Scopes, Subject, TokenKind, UserName},
    random::{Random, SeededRandom},
    route::{Route, Router, Target},
    secret::SecretKey,
    store::{AccessTokenFacts, Grant, GrantUser},
};

const LIFE: Duration = Duration::from_secs(3600);
const TTL: Duration = Duration::from_secs(60);
const USER_TTL: Duration = Duration::from_secs(30);
const UNKNOWN_TTL: Duration = Duration::from_secs(10);

struct Scene {
    check: Arc<AccessCheck>,
    store: Arc<FakeStore>,
    directory: Arc<FakeDirectory>,
    clock: ManualClock,
    random: Arc<dyn Random>,
    mint: TokenMint,
}

impl Scene {
    fn new() -> Self {
        let (store, directory) = (Arc::new(FakeStore::new()), Arc::new(FakeDirectory::default()));
        let key = SecretKey::new([1; 32]);
        let client = ClientSettings { id: "shop".to_owned(), ..ClientSettings::default() }.to_client();
        let ground = AccessGround {
            mint: Arc::new(TokenMint::new(&key)),
            proofs: Arc::new(Proofs::new(
                "https://erp.example.com",
                &SeededRandom::new(2),
                UnixTime::from_secs(1_000_000),
            )),
            store: Arc::<FakeStore>::clone(&store),
            directory: Arc::<FakeDirectory>::clone(&directory),
            clients: Arc::new(ClientRegistry::new(vec![client])),
            natives: None,
            agents: agents::Agents::new(agents::Budgets {
                requests: crate::oauth::DailyBudget::Off,
                writes: crate::oauth::DailyBudget::Off,
            }),
            jwts: None,
            user_ttl: USER_TTL,
        };
        let settings = CacheSettings { capacity: 1000, ttl: TTL, unknown_capacity: 100, unknown_ttl: UNKNOWN_TTL };
        Self {
            check: Arc::new(AccessCheck::new(ground, &settings)),
            store,
            directory,
            clock: ManualClock::at(UnixTime::from_secs(1_000_000)),
            random: Arc::new(SeededRandom::new(1)),
            mint: TokenMint::new(&key),
        }
    }

    /// A token that nobody knows.
    fn stranger(&self) -> String {
        self.mint.mint(TokenKind::Access, &*self.random).text.expose().to_owned()
    }

    fn token(&self, grant: &str, scopes: &str) -> String {
        self.token_of("shop", grant, scopes)
    }

    fn token_of(&self, client: &str, grant: &str, scopes: &str) -> String {
        let minted = self.mint.mint(TokenKind::Access, &*self.random);
        let scopes = Scopes::parse(scopes).expect("scopes");
        let grant = Grant {
            id: GrantId::new(grant),
            client: ClientId::new(client),
            user: GrantUser { name: UserName::new("alice@example.com"), sub: Subject::new("1") },
            scopes: scopes.clone(),
            created_at: self.clock.now(),
            auth_time: None,
            session_claim: None,
            id_token_claims: Vec::new(),
            userinfo_claims: Vec::new(),
            dpop_key: None,
            act: None,
            resources: Resources::default(),
        };
        let (issued_at, expires_at) = (self.clock.now(), self.clock.now().plus(LIFE));
        let facts = AccessTokenFacts {
            grant,
            scopes,
            issued_at,
            expires_at,
            last_used: None,
            dpop_key: None,
            resources: Resources::default(),
        };
        self.store.tokens.lock().expect("no panic").insert(minted.hash, facts);
        minted.text.expose().to_owned()
    }

    async fn send(&self, rules: &[RouteSettings], target: &str, lines: &[&str]) -> Result<Option<Permit>, Denial> {
        let value = |line: &&str| (AUTHORIZATION, HeaderValue::from_str(line).expect("a header"));
        let headers: http::HeaderMap = lines.iter().map(value).collect();
        let target = Target::parse(target).expect("a target");
        let route = Router::new(rules).expect("rules").route(&http::Method::GET, &target);
        let Route::Upstream(terms) = route else { panic!("not forwarded: {route:?}") };
        let in_query = target.query().has("access_token");
        let sent = Sent { token_in_query: in_query, proof_of: Proof::Of(&http::Method::GET, target.path().as_bytes()) };
        self.check.check(&terms, &headers, sent, self.clock.now()).await
    }

    async fn present(&self, token: &str) -> Result<Permit, Denial> {
        let sent = self.send(&[], "/api/resource/User", &[&format!("Bearer {token}")]).await;
        sent.map(|permit| permit.expect("a bearer request"))
    }

    async fn denied(&self, token: &str) -> Denial {
        self.present(token).await.expect_err("denied")
    }
}

fn rule(path: &str, auth: RouteAuth, scopes: &[&str]) -> RouteSettings {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    RouteSettings { path: path.to_owned(), auth, scopes, ..RouteSettings::default() }
}

#[tokio::test]
async fn a_known_token_gets_the_credential_of_its_user_and_is_looked_up_once() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    let first = scene.present(&token).await.expect("permitted");
    assert_eq!(first.credential, Some(HeaderValue::from_static("Bearer emp_sh_1")));
    assert_eq!((first.token.grant.as_str(), first.cached), ("g1", false));
    let second = scene.present(&token).await.expect("permitted");
    assert!(second.cached);
    assert_eq!(second.credential, first.credential);
    assert_eq!((scene.store.look_ups(), scene.directory.made.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn junk_costs_no_look_up() {
    let scene = Scene::new();
    let refresh = scene.mint.mint(TokenKind::Refresh, &*scene.random).text.expose().to_owned();
    // T33, T81
    for junk in ["emp_at_0123", "emp_sh_0123", "EMP_SH_0123", refresh.as_str()] {
        assert_eq!(scene.denied(junk).await, Denial::MalformedToken, "{junk}");
    }
    assert_eq!(scene.denied("eyJhbGciOiJub25lIn0.e30.").await, Denial::ForeignToken);
    assert_eq!(scene.store.look_ups(), 0);
}

#[tokio::test]
async fn an_unknown_token_is_remembered_as_unknown_for_a_while() {
    let scene = Scene::new();
    let token = scene.stranger();
    for _ in 0..3 {
        assert_eq!(scene.denied(&token).await, Denial::InactiveToken);
    }
    assert_eq!(scene.store.look_ups(), 1);
    scene.clock.advance(UNKNOWN_TTL);
    assert_eq!(scene.denied(&token).await, Denial::InactiveToken);
    assert_eq!(scene.store.look_ups(), 2);
}

/// T63
#[tokio::test]
async fn a_token_ends_by_our_clock_whatever_the_cache_thinks() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    scene.clock.advance(LIFE.saturating_sub(Duration::from_secs(1)));
    scene.present(&token).await.expect("not yet");
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.denied(&token).await, Denial::InactiveToken);
    assert_eq!(scene.store.look_ups(), 1);
}

#[tokio::test]
async fn what_is_known_is_asked_again_after_the_ttl() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    scene.present(&token).await.expect("permitted");
    scene.clock.advance(TTL.saturating_sub(Duration::from_secs(1)));
    scene.present(&token).await.expect("permitted");
    assert_eq!(scene.store.look_ups(), 1);
    scene.clock.advance(Duration::from_secs(1));
    scene.present(&token).await.expect("permitted");
    assert_eq!(scene.store.look_ups(), 2);
}

/// T60
#[tokio::test]
async fn a_failing_store_denies_and_is_not_remembered() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    scene.store.away.store(true, Ordering::SeqCst);
    assert_eq!(scene.denied(&token).await, Denial::LookupFailed);
    scene.store.away.store(false, Ordering::SeqCst);
    scene.present(&token).await.expect("permitted");
    scene.store.away.store(true, Ordering::SeqCst);
    scene.present(&token).await.expect("what is in memory needs no store");
}

/// T56
#[tokio::test]
async fn a_panic_in_the_check_permits_nothing_and_the_next_request_is_checked_again() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    scene.store.panics.store(true, Ordering::SeqCst);
    let presented = AssertUnwindSafe(scene.present(&token)).catch_unwind().await;
    assert!(!matches!(presented, Ok(Ok(_))), "{presented:?}");
    scene.store.panics.store(false, Ordering::SeqCst);
    scene.present(&token).await.expect("permitted");
}

/// T59
#[tokio::test]
async fn a_revocation_ends_what_is_in_memory() {
    let scene = Scene::new();
    let (token, other) = (scene.token("g1", "all"), scene.token("g2", "all"));
    scene.present(&token).await.expect("permitted");
    scene.present(&other).await.expect("permitted");
    scene.store.revoke_grant(&GrantId::new("g1"), scene.clock.now()).await.expect("revoked");
    scene.check.invalidation().grant_ended(&GrantId::new("g1"));
    assert_eq!(scene.denied(&token).await, Denial::InactiveToken);
    scene.present(&other).await.expect("another grant");
}

/// T59
#[tokio::test]
async fn a_look_up_that_began_before_a_revocation_permits_nothing_after_it() {
    let scene = Arc::new(Scene::new());
    let token = scene.token("g1", "all");
    let closed = scene.store.gate.forget_permits(usize::MAX);
    let early = tokio::spawn({
        let (scene, token) = (Arc::clone(&scene), token.clone());
        async move { scene.present(&token).await }
    });
    scene.store.has_read.notified().await;
    scene.store.revoke_grant(&GrantId::new("g1"), scene.clock.now()).await.expect("revoked");
    scene.check.invalidation().grant_ended(&GrantId::new("g1"));
    let late = tokio::spawn({
        let (scene, token) = (Arc::clone(&scene), token.clone());
        async move { scene.present(&token).await }
    });
    tokio::task::yield_now().await;
    scene.store.gate.add_permits(closed);
    for used in [early, late] {
        assert_eq!(used.await.expect("no panic").expect_err("denied"), Denial::InactiveToken);
    }
}

#[tokio::test]
async fn the_feed_tells_of_revocations_by_other_processes() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    let start = scene.check.read_feed(FeedPosition::default()).await;
    scene.present(&token).await.expect("permitted");
    scene.store.revoke_grant(&GrantId::new("g1"), scene.clock.now()).await.expect("revoked");
    scene.present(&token).await.expect("not heard of it yet");
    scene.check.read_feed(start).await;
    assert_eq!(scene.denied(&token).await, Denial::InactiveToken);
}

#[tokio::test]
async fn a_feed_that_can_be_read_again_drops_everything() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    let start = scene.check.read_feed(FeedPosition::default()).await;
    scene.present(&token).await.expect("permitted");
    scene.store.away.store(true, Ordering::SeqCst);
    let failing = scene.check.read_feed(start).await;
    scene.present(&token).await.expect("the store is away, and memory holds");
    scene.store.revoke_grant(&GrantId::new("g1"), scene.clock.now()).await.expect("revoked");
    scene.store.away.store(false, Ordering::SeqCst);
    scene.check.read_feed(failing).await;
    assert_eq!(scene.denied(&token).await, Denial::InactiveToken);
}

/// T61
#[tokio::test]
async fn a_token_in_memory_is_judged_anew_for_each_route() {
    let scene = Scene::new();
    let authorization = format!("Bearer {}", scene.token("g1", "a"));
    let rules = [rule("/a", RouteAuth::Bearer, &["a"]), rule("/b", RouteAuth::Bearer, &["b", "c"])];
    scene.send(&rules, "/a", &[&authorization]).await.expect("permitted");
    let denial = scene.send(&rules, "/b", &[&authorization]).await.expect_err("denied");
    assert_eq!(denial, Denial::InsufficientScope("b c".to_owned()));
    let denial = scene.send(&rules, "/c", &[&authorization]).await.expect_err("denied");
    assert_eq!(denial, Denial::InsufficientScope("all".to_owned()));
}

#[tokio::test]
async fn routes_say_whether_a_token_is_needed() {
    let scene = Scene::new();
    let rules = [rule("/api/**", RouteAuth::Bearer, &[]), rule("/own/**", RouteAuth::Pass, &[])];
    assert_eq!(scene.send(&rules, "/api/x", &[]).await.expect_err("denied"), Denial::NoToken);
    assert_eq!(scene.send(&rules, "/api/x", &["token k:s"]).await.expect_err("denied"), Denial::NoToken);
    for (target, line) in [("/x", "token k:s"), ("/own/x", "Bearer theirs"), ("/own/x?access_token=a", "Bearer theirs")]
    {
        assert!(scene.send(&rules, target, &[line]).await.expect("passed").is_none(), "{target} {line}");
    }
    assert!(scene.send(&rules, "/x", &[]).await.expect("passed").is_none());
    let stranger = format!("Bearer {}", scene.stranger());
    assert_eq!(scene.send(&rules, "/own/x", &[&stranger]).await.expect_err("denied"), Denial::InactiveToken);
    assert_eq!(scene.send(&rules, "/own/x", &["bearer EMP_SH_x"]).await.expect_err("denied"), Denial::MalformedToken);
}

/// T37
#[tokio::test]
async fn a_token_in_the_query_is_no_credential() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    let target = format!("/api/resource/User?access_token={token}");
    let twice = scene.send(&[], &target, &[&format!("Bearer {token}")]).await;
    assert_eq!(twice.expect_err("denied"), Denial::TwoMethods);
    assert_eq!(scene.send(&[], &target, &["Foo x"]).await.expect_err("denied"), Denial::TwoMethods);
    assert!(scene.send(&[], &target, &[]).await.expect("ERPNext ignores it").is_none());
    let bearer = [rule("/api/**", RouteAuth::Bearer, &[])];
    assert_eq!(scene.send(&bearer, &target, &[]).await.expect_err("denied"), Denial::NoToken);
}

/// T76
#[tokio::test]
async fn tokens_of_users_and_clients_that_are_gone_are_refused() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    let permit = scene.present(&token).await.expect("permitted");
    permit.token.user.set_enabled(false);
    assert_eq!(scene.denied(&token).await, Denial::UserGone);
    permit.token.user.set_enabled(true);
    *scene.directory.failure.lock().expect("no panic") = Some(DirectoryError::UserGone);
    assert_eq!(scene.denied(&token).await, Denial::UserGone);
    let orphan = scene.token_of("gone", "g2", "all");
    assert_eq!(scene.denied(&orphan).await, Denial::InactiveToken);
}

#[tokio::test]
async fn a_user_without_credential_is_denied_while_the_upstream_is_away() {
    let scene = Scene::new();
    let token = scene.token("g1", "all");
    *scene.directory.failure.lock().expect("no panic") = Some(DirectoryError::Unavailable("down".to_owned()));
    assert_eq!(scene.denied(&token).await, Denial::UpstreamUnavailable);
}

#[tokio::test]
async fn the_realtime_server_gets_the_token_as_it_came() {
    let scene = Scene::new();
    let authorization = format!("Bearer {}", scene.token("g1", "all"));
    let permit = scene.send(&[], "/socket.io/?EIO=4", &[&authorization]).await.expect("permitted").expect("a permit");
    assert_eq!(permit.credential, None);
    assert_eq!(scene.send(&[], "/socket.io/", &["Bearer emp_at_x"]).await.expect_err("denied"), Denial::MalformedToken);
}
