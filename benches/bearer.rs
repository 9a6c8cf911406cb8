//! What the bearer check costs: of a token in memory, of one that the store has to be asked for, of junk, and of one that is
//! bound to a key, with a new proof each time.
#![expect(clippy::expect_used, reason = "a bench may panic")]

mod support;

use std::{cell::Cell, hint::black_box, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use criterion::{BatchSize, Criterion};
use empress_gateway::{
    access::{
        AccessCheck, AccessGround, PROOF_HEADER, Proof, Proofs, Sent,
        agents::{Agents, Budgets},
    },
    config::CacheSettings,
    erpnext::ClientRegistry,
    oauth::{DailyBudget, GrantId, KeyThumbprint, MintedToken, Resources, TokenHash, TokenKind, TokenMint},
    random::OsRandom,
    route::{Route, Router, Target, Terms},
    store::{Grant, NewAccessToken, NewGrant, Store},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::ThumbprintHash};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
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

fn grant(id: &str, token: &MintedToken, dpop_key: Option<KeyThumbprint>) -> NewGrant {
    let grant = Grant {
        id: GrantId::new(id),
        client: support::client().id,
        user: support::alice(),
        scopes: support::scopes(),
        created_at: NOW,
        auth_time: None,
        session_claim: None,
        id_token_claims: Vec::new(),
        userinfo_claims: Vec::new(),
        dpop_key: None,
        act: None,
        resources: Resources::default(),
    };
    let expires_at = NOW.plus(Duration::from_secs(3600));
    let access = NewAccessToken {
        hash: token.hash,
        scopes: support::scopes(),
        issued_at: NOW,
        expires_at,
        dpop_key,
        resources: Resources::default(),
    };
    NewGrant { grant, access, refresh: None, from_code: None, in_login: None, made_from: None }
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let (_folder, store) = support::store();
    let store: Arc<dyn Store> = Arc::new(store);
    let mint = Arc::new(TokenMint::new(&support::key()));
    let token = mint.mint(TokenKind::Access, &OsRandom);
    runtime.block_on(store.issue_grant(grant("bench", &token, None))).expect("issued");
    let ground = || AccessGround {
        mint: Arc::clone(&mint),
        proofs: Arc::new(Proofs::new("https://erp.example.com", &OsRandom, NOW)),
        store: Arc::clone(&store),
        directory: support::OneUser::new(),
        clients: Arc::new(ClientRegistry::new(vec![support::client()])),
        natives: None,
        agents: Agents::new(Budgets { requests: DailyBudget::Off, writes: DailyBudget::Off }),
        jwts: None,
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
    for prover in [Prover::new(Algorithm::ES256), Prover::new(Algorithm::EdDSA)] {
        let name = format!("{:?}", prover.header.alg);
        let bound = mint.mint(TokenKind::Access, &OsRandom);
        runtime.block_on(store.issue_grant(grant(&name, &bound, Some(prover.thumbprint())))).expect("issued");
        let prove = || prover.request(bound.text.expose(), &check.nonce(NOW));
        runtime.block_on(check.check(&terms, &prove(), PROVEN, NOW)).expect("permitted");
        criterion.bench_function(&format!("bearer, bound to a key for {name}"), |bencher| {
            let checked = |headers: HeaderMap| {
                let checked = check.check(&terms, black_box(&headers), PROVEN, NOW).now_or_never();
                checked.expect("nothing to wait for").is_ok()
            };
            bencher.iter_batched(prove, checked, BatchSize::SmallInput);
        });
    }
    criterion.final_summary();
}

/// The method and the target that proofs are about.
const PROVEN: Sent<'_> = Sent { token_in_query: false, proof_of: Proof::Of(&Method::GET, b"/api/resource/Customer") };

/// Who holds a key.
struct Prover {
    header: Header,
    key: EncodingKey,
    made: Cell<u64>,
}

impl Prover {
    fn new(algorithm: Algorithm) -> Self {
        let pair = KeyPair::generate_for(match algorithm {
            Algorithm::EdDSA => &PKCS_ED25519,
            _ => &PKCS_ECDSA_P256_SHA256,
        });
        let pair = pair.expect("a key");
        let public = |range| URL_SAFE_NO_PAD.encode(pair.der_bytes().get(range).expect("a part of the key"));
        let (key, jwk) = if algorithm == Algorithm::EdDSA {
            let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": public(0..32)});
            (EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()), jwk)
        } else {
            let jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "x": public(1..33), "y": public(33..65)});
            (EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()), jwk)
        };
        let (key, jwk) = (key.expect("a key"), serde_json::from_value(jwk).expect("a public key"));
        let header = Header { typ: Some("dpop+jwt".to_owned()), jwk: Some(jwk), ..Header::new(algorithm) };
        Self { header, key, made: Cell::new(0) }
    }

    fn thumbprint(&self) -> KeyThumbprint {
        let jwk = self.header.jwk.as_ref().expect("a key");
        KeyThumbprint::parse(&jwk.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint")).expect("one")
    }

    fn request(&self, token: &str, nonce: &str) -> HeaderMap {
        self.made.set(self.made.get() + 1);
        let claims = serde_json::json!({
            "jti": format!("number {} of the bench", self.made.get()),
            "htm": "GET",
            "htu": "https://erp.example.com/api/resource/Customer",
            "iat": NOW.secs(),
            "nonce": nonce,
            "ath": URL_SAFE_NO_PAD.encode(TokenHash::of(token).as_bytes()),
        });
        let proof = jsonwebtoken::encode(&self.header, &claims, &self.key).expect("signed");
        let authorization = HeaderValue::try_from(format!("DPoP {token}")).expect("a header");
        let proof = HeaderValue::try_from(proof).expect("a header");
        [(AUTHORIZATION, authorization), (PROOF_HEADER.clone(), proof)].into_iter().collect()
    }
}
