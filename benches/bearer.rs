//! What the bearer check costs: of a token in memory, of one that the store has to be asked for, of junk.
#![expect(clippy::expect_used, reason = "a bench may panic")]

mod support;

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion};
use empress_gateway::{
    access::{
        AccessCheck, AccessGround, Proof, Proofs, Sent,
        agents::{Agents, Budgets},
    },
    config::CacheSettings,
    erpnext::ClientRegistry,
    oauth::{DailyBudget, GrantId, MintedToken, TokenKind, TokenMint},
    random::OsRandom,
    route::{Route, Router, Target, Terms},
    store::{Grant, NewAccessToken, NewGrant, Store},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use support::NOW;
use tokio::runtime::Runtime;

fn terms() -> Terms {
    let target = Target::parse("/api/resource/Customer").expect("a target");
    match Router::new(&[]).expect("no rules").route(&Method::GET, &target) {
        Route::Upstream(terms) => Some(terms),
        Route::Endpoint(_) | Route::Refuse(_) => None,
    }
    .expect("it is forwarded")
}

/// A request that needs no proof.
const SENT: Sent<'_> = Sent { token_in_query: false, proof_of: Proof::WasGiven };

fn presenting(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a header");
    [(AUTHORIZATION, value)].into_iter().collect()
}

fn grant(token: &MintedToken) -> NewGrant {
    let grant = Grant {
        id: GrantId::new("bench"),
        client: support::client().id,
        user: support::alice(),
        scopes: support::scopes(),
        created_at: NOW,
        auth_time: None,
        session_claim: None,
        id_token_claims: Vec::new(),
        userinfo_claims: Vec::new(),
        dpop_key: None,
    };
    let expires_at = NOW.plus(Duration::from_secs(3600));
    let access =
        NewAccessToken { hash: token.hash, scopes: support::scopes(), issued_at: NOW, expires_at, dpop_key: None };
    NewGrant { grant, access, refresh: None, from_code: None, in_login: None }
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let (_folder, store) = support::store();
    let store: Arc<dyn Store> = Arc::new(store);
    let mint = Arc::new(TokenMint::new(&support::key()));
    let token = mint.mint(TokenKind::Access, &OsRandom);
    runtime.block_on(store.issue_grant(grant(&token))).expect("issued");
    let ground = || AccessGround {
        mint: Arc::clone(&mint),
        proofs: Arc::new(Proofs::new("https://erp.example.com", &OsRandom, NOW)),
        store: Arc::clone(&store),
        directory: support::OneUser::new(),
        clients: Arc::new(ClientRegistry::new(vec![support::client()])),
        natives: None,
        agents: Agents::new(Budgets { requests: DailyBudget::Off, writes: DailyBudget::Off }),
        user_ttl: std::time::Duration::from_secs(30),
    };
    let new_check = || AccessCheck::new(ground(), &CacheSettings::default());
    let (terms, known) = (terms(), presenting(token.text.expose()));
    let mut criterion = Criterion::default().configure_from_args();

    let check = new_check();
    runtime.block_on(check.check(&terms, &known, SENT, NOW)).expect("permitted");
    criterion.bench_function("bearer, in memory", |bencher| {
        bencher.iter(|| {
            let checked = check.check(&terms, black_box(&known), SENT, NOW).now_or_never();
            checked.expect("nothing to wait for").is_ok()
        });
    });
    criterion.bench_function("bearer, asked of the store", |bencher| {
        let cold = |check: AccessCheck| runtime.block_on(check.check(&terms, &known, SENT, NOW)).is_ok();
        bencher.iter_batched(new_check, cold, BatchSize::SmallInput);
    });
    let junk = [
        ("of our form", format!("emp_at_{}", "A".repeat(43))),
        ("of another form", "1/fFAGRNJru1FTz70BzhT3Zg".to_owned()),
    ];
    for (name, junk) in junk {
        let headers = presenting(&junk);
        criterion.bench_function(&format!("bearer, junk {name}"), |bencher| {
            bencher.iter(|| {
                let checked = check.check(&terms, black_box(&headers), SENT, NOW).now_or_never();
                checked.expect("nothing to wait for").is_err()
            });
        });
    }
    criterion.final_summary();
}
