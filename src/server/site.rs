//! All that belongs to one ERPNext site, made of its settings: store, users, clients, keys, the bearer check, the
//! endpoints. Nothing of it is global, so that one process can have several.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::runtime::Handle;

use crate::{
    access::{AccessCheck, AccessGround},
    clock::{Clock, SystemClock},
    config::{Config, Rate},
    endpoints::{Allotment, EndpointSettings, Endpoints, Limit, Limits},
    erpnext::{ClientRegistry, Erpnext, ErpnextSettings, Ground, Hooks},
    issuer::{AllowanceCounter, Issuer, IssuerSettings, SigningKeys},
    oauth::{Allowance, Client, GrantType, LoginHasher, Scope, SigningAlgorithm, SiteId, TokenMint, UserName},
    random::{OsRandom, Random},
    route::Router,
    secret::{Purpose, SecretKey},
    store::{EmbeddedStore, Store, secret_key},
    telemetry::{audit::Audit, metrics::Metrics},
};

/// The site of a gateway that serves one.
const ONLY_SITE: &str = "default";
/// The longest that one of our own calls to ERPNext may take; `response_timeout` is for forwarded requests.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The parts of a site, ready to be served.
pub struct Site {
    /// What must outlive the process.
    pub store: Arc<dyn Store>,
    /// The users and their credentials.
    pub erpnext: Arc<Erpnext>,
    /// The bearer check.
    pub access: Arc<AccessCheck>,
    /// What creates and ends grants.
    pub issuer: Arc<Issuer>,
    /// Our endpoints.
    pub endpoints: Arc<Endpoints>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// The key that all others are derived from.
    pub secret_key: SecretKey,
}

impl Site {
    /// Opens the store and makes the parts. Nothing is asked of ERPNext yet: it may be away.
    ///
    /// # Errors
    /// A store, key or setting that can't be used, with what to do.
    pub fn new(config: &Config, metrics: &Arc<Metrics>, audit: Audit, io: &Handle) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let secret_key = secret_key::load_or_make(&config.store.secret_key_file)?;
        let store: Arc<dyn Store> = Arc::new(open_store(&config.store.path, &secret_key)?);
        let clients: Vec<Client> = config.client.iter().map(crate::config::ClientSettings::to_client).collect();
        let algorithms = signing_algorithms(config, &clients);
        let settings = endpoint_settings(config, &clients, &algorithms)?;
        let registry = Arc::new(ClientRegistry::new(clients));
        let ground = Ground {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            io: io.clone(),
        };
        let gone = Arc::new(UsersGone::default());
        let erpnext = Arc::new(Erpnext::new(&erpnext_settings(config), ground, hooks(metrics, &gone, io))?);
        let mint = Arc::new(TokenMint::new(&secret_key));
        let ground = AccessGround {
            mint: Arc::clone(&mint),
            store: Arc::clone(&store),
            directory: Arc::clone(&erpnext) as _,
            clients: Arc::clone(&registry),
        };
        let access = Arc::new(AccessCheck::new(ground, &config.cache));
        let signing = io.block_on(SigningKeys::load(Arc::clone(&store), &algorithms, clock.now()));
        let signing = Arc::new(signing.context("the signing keys can't be read or made")?);
        let invalidation = access.invalidation();
        let used = Arc::clone(metrics);
        let issuer = Arc::new(Issuer {
            store: Arc::clone(&store),
            directory: Arc::clone(&erpnext) as _,
            mint,
            signing,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            settings: issuer_settings(config),
            grant_ended: Arc::new(move |grant| invalidation.grant_ended(grant)),
            allowances: Arc::new(AllowanceCounter::new(Box::new(move |client, allowance| {
                used.compat.used(client.as_str(), allowance.as_str());
            }))),
            audit: Arc::new(audit),
        });
        gone.set_issuer(&issuer);
        let endpoints = Arc::new(Endpoints {
            issuer: Arc::clone(&issuer),
            access: Arc::clone(&access),
            clients: registry,
            logins: LoginHasher::new(&secret_key),
            form_key: secret_key.derive(Purpose::Form),
            limits: limits(config),
            settings,
        });
        Ok(Self { store, erpnext, access, issuer, endpoints, clock, random, secret_key })
    }
}

/// Ends the grants of users who are gone. The adapter that notices them is made before the issuer.
#[derive(Default)]
struct UsersGone(std::sync::OnceLock<std::sync::Weak<Issuer>>);

impl UsersGone {
    fn set_issuer(&self, issuer: &Arc<Issuer>) {
        // Set once, by the composition.
        let _ = self.0.set(Arc::downgrade(issuer));
    }

    async fn end_grants(&self, user: &UserName) {
        let Some(issuer) = self.0.get().and_then(std::sync::Weak::upgrade) else { return };
        if let Err(error) = issuer.end_grants_of_user(user).await {
            tracing::error!(%error, "the grants of a user who is gone can't be ended");
        }
    }
}

fn hooks(metrics: &Arc<Metrics>, gone: &Arc<UsersGone>, io: &Handle) -> Hooks {
    let (metrics, gone, io) = (Arc::clone(metrics), Arc::clone(gone), io.clone());
    Hooks {
        on_user_gone: Arc::new(move |user| {
            let (gone, user) = (Arc::clone(&gone), user.clone());
            io.spawn(async move { gone.end_grants(&user).await });
        }),
        on_call: Arc::new(move |what, outcome| metrics.erpnext.call(what, outcome)),
    }
}

fn open_store(path: &Path, key: &SecretKey) -> anyhow::Result<EmbeddedStore> {
    EmbeddedStore::open(path, SiteId::new(ONLY_SITE), key).context("[store].path")
}

fn erpnext_settings(config: &Config) -> ErpnextSettings {
    let erpnext = &config.erpnext;
    ErpnextSettings {
        url: erpnext.url.as_str().to_owned(),
        public_url: config.server.public_url.as_str().to_owned(),
        site_name: erpnext.site_name.clone(),
        host_header: erpnext.host_header.clone(),
        api_key: erpnext.api_key.clone(),
        connect_timeout: erpnext.connect_timeout,
        call_timeout: CALL_TIMEOUT.min(erpnext.response_timeout),
        user_ttl: erpnext.user_ttl,
        shadow_token_ttl: erpnext.shadow_token_ttl,
    }
}

fn issuer_settings(config: &Config) -> IssuerSettings {
    let tokens = &config.tokens;
    IssuerSettings {
        issuer: config.server.public_url.as_str().to_owned(),
        access_ttl: tokens.access_ttl,
        refresh_ttl: tokens.refresh_ttl,
        refresh_grace: tokens.refresh_grace,
        code_ttl: tokens.code_ttl,
        id_token_alg: tokens.id_token_alg,
    }
}

/// The gateway's own algorithm first, then those that clients have instead.
fn signing_algorithms(config: &Config, clients: &[Client]) -> Vec<SigningAlgorithm> {
    let mut algorithms = vec![config.tokens.id_token_alg];
    for algorithm in clients.iter().filter_map(|client| client.id_token_alg) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    let by_secret = |client: &Client| client.allows(Allowance::Hs256) && client.secret.is_some();
    if clients.iter().any(by_secret) && !algorithms.contains(&SigningAlgorithm::Hs256) {
        algorithms.push(SigningAlgorithm::Hs256);
    }
    // OpenID Connect Discovery §3: RS256 must be there.
    if !algorithms.contains(&SigningAlgorithm::Rs256) {
        algorithms.push(SigningAlgorithm::Rs256);
    }
    algorithms
}

fn endpoint_settings(
    config: &Config,
    clients: &[Client],
    algorithms: &[SigningAlgorithm],
) -> anyhow::Result<EndpointSettings> {
    let mut scopes: Vec<String> =
        [Scope::ALL, Scope::OPENID, "profile", "email", "roles"].into_iter().map(str::to_owned).collect();
    let mut grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    for client in clients {
        for scope in client.scopes.iter().map(Scope::as_str) {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        let others = client.grant_types.iter().filter(|grant_type| **grant_type != GrantType::Implicit);
        for grant_type in others {
            if !grant_types.contains(grant_type) {
                grant_types.push(*grant_type);
            }
        }
    }
    Ok(EndpointSettings {
        public_origin: config.server.public_url.as_str().to_owned(),
        site_name: config.server.public_url.origin().host().to_owned(),
        scopes,
        grant_types,
        signing_algorithms: algorithms.to_vec(),
        allowed_origins: config.cors.allowed_origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        introspection_needs_client: config.introspection.require_client_auth,
        revocation_needs_client: config.revocation.require_client_auth,
        rules: Router::new(&config.route)?,
    })
}

fn limits(config: &Config) -> Limits {
    let limit = |rate: Rate| Limit::new(Allotment { burst: rate.count.get(), period: rate.per.length() });
    Limits {
        token_failures: limit(config.limits.token_failures),
        introspection_misses: limit(config.limits.introspection_misses),
        authorize: limit(config.limits.authorize),
        login_failures: limit(config.limits.login_failures),
    }
}
