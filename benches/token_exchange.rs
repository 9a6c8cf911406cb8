//! What it costs to turn an authorization code into tokens, durably: one at a time, and 64 at once, whose writes the
//! store commits together.
#![expect(clippy::expect_used, reason = "a bench may panic")]

mod support;

use std::{sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, Throughput};
use empress_gateway::{
    clock::ManualClock,
    config::AccessFormat,
    issuer::{AllowanceCounter, Issuer, IssuerSettings, KeyLives, Login, PresentedCode, RequestedAccess, SigningKeys},
    oauth::{
        AuthorizationRequest, Prompt, RedirectTarget, Resources, ResponseMode, ResponseType, SigningAlgorithm,
        TokenMint,
    },
    random::OsRandom,
    secret::Secret,
    store::Store,
    telemetry::audit::Audit,
};
use futures_util::future::join_all;
use support::{CALLBACK, NOW};
use tokio::runtime::Runtime;

const AT_ONCE: usize = 64;

fn settings(algorithm: SigningAlgorithm) -> IssuerSettings {
    IssuerSettings {
        issuer: "https://erp.example.com".to_owned(),
        access_ttl: Duration::from_secs(3600),
        refresh_ttl: Duration::from_secs(30 * 86_400),
        refresh_grace: Duration::from_secs(10),
        code_ttl: Duration::from_secs(60),
        access_format: AccessFormat::Opaque,
        id_token_alg: algorithm,
    }
}

fn request() -> AuthorizationRequest {
    AuthorizationRequest {
        client_id: support::client().id,
        redirect_uri: RedirectTarget { uri: CALLBACK.to_owned(), named: true },
        response_type: ResponseType::CODE,
        response_mode: ResponseMode::Query,
        state: None,
        scopes: support::scopes(),
        nonce: None,
        code_challenge: None,
        prompt: Prompt::default(),
        max_age: None,
        hinted_subject: None,
        login_hint: None,
        id_token_claims: Vec::new(),
        userinfo_claims: Vec::new(),
        dpop_key: None,
        resources: Resources::default(),
        needs_auth_time: false,
        ui_locales: None,
    }
}

async fn issuer(store: Arc<dyn Store>, algorithm: SigningAlgorithm) -> Issuer {
    let day = Duration::from_secs(86_400);
    let lives = KeyLives { token: Duration::from_secs(3600), hint: 30 * day, rotation: 90 * day };
    let signing = SigningKeys::load(Arc::clone(&store), &[algorithm], lives, NOW).await.expect("a key");
    let audit = tempfile::NamedTempFile::new().expect("a file");
    Issuer {
        store,
        directory: support::OneUser::new(),
        natives: None,
        mint: Arc::new(TokenMint::new(&support::key())),
        signing: Arc::new(signing),
        clock: Arc::new(ManualClock::at(NOW)),
        random: Arc::new(OsRandom),
        settings: settings(algorithm),
        grant_ended: Arc::new(|_| ()),
        allowances: Arc::new(AllowanceCounter::new(Box::new(|_, _| ()))),
        audit: Arc::new(Audit::open(audit.path()).expect("a trail")),
    }
}

async fn code(issuer: &Issuer) -> Secret {
    let login = Login { user: support::alice(), auth_time: Some(NOW), session_claim: None, login: None };
    let tokens = issuer.answer_authorization(&support::client(), &request(), &login).await.expect("a code");
    tokens.code.expect("a code")
}

async fn redeem(issuer: &Issuer, code: Secret) -> bool {
    let presented = PresentedCode {
        code,
        redirect_uri: Some(CALLBACK.to_owned()),
        verifier: None,
        access: RequestedAccess::default(),
    };
    issuer.redeem_code(&support::client(), presented).await.expect("tokens").id_token.is_some()
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let (_folder, store) = support::store();
    let store: Arc<dyn Store> = Arc::new(store);
    let mut criterion = Criterion::default().configure_from_args();
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let issuer = runtime.block_on(issuer(Arc::clone(&store), algorithm));
        let mut group = criterion.benchmark_group(format!("code to tokens, {algorithm}"));
        for at_once in [1, AT_ONCE] {
            group.throughput(Throughput::Elements(at_once as u64));
            group.bench_function(format!("{at_once} at once"), |bencher| {
                let codes = || runtime.block_on(join_all((0..at_once).map(|_| code(&issuer))));
                let redeem_all = |codes: Vec<Secret>| {
                    runtime.block_on(join_all(codes.into_iter().map(|code| redeem(&issuer, code))))
                };
                bencher.iter_batched(codes, redeem_all, BatchSize::PerIteration);
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
