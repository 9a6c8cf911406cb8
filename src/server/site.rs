//! All that belongs to one ERPNext site, made of its settings: store, users, clients, keys, the bearer check, the
//! endpoints. Nothing of it is global, so that one process can have several.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::runtime::Handle;

use crate::{
    access::{
        AccessCheck, AccessGround, Proofs,
        agents::{Agents, Budgets},
    },
    backchannel::Backchannel,
    clock::{Clock, SystemClock, UnixTime},
    config::{ClientSettings, ClientSync, Config, LimitsSettings, NativeTokens as NativeTokensSetting, Rate},
    endpoints::{Allotment, DocumentClients, EndpointSettings, Endpoints, Limit, Limits, Look, RegistrationRules},
    erpnext::{
        ClientRegistry, ClientRules, DirectoryError, Erpnext, ErpnextSettings, Ground, Hooks, NativeTokens,
        RegisteredClients, UserChange,
    },
    fetch::{ClientDocuments, KeySets},
    issuer::{AccessJwts, AllowanceCounter, Issuer, IssuerSettings, KeyLives, Logouts, SigningKeys},
    oauth::{
        Allowance, Client, ClientId, ClientMode, LoginHasher, RegistrationPolicy, SigningAlgorithm, SiteId, TokenMint,
        UserName,
    },
    random::{OsRandom, Random},
    route::{CurrentRouter, Router},
    secret::{Purpose, SecretKey},
    store::{EmbeddedStore, Store, StoreResult, secret_key},
    telemetry::{
        audit::{Audit, AuditEvent},
        metrics::Metrics,
        tally::Tally,
    },
};

/// The site of a gateway that serves one.
pub(super) const ONLY_SITE: &str = "default";
/// The longest that one of our own calls to ERPNext may take; `response_timeout` is for forwarded requests.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The parts of a site, ready to be served.
pub struct Site {
    /// What must outlive the process.
    pub store: Arc<dyn Store>,
    /// The users and their credentials.
    pub erpnext: Arc<Erpnext>,
    /// The registered clients.
    pub clients: Arc<ClientRegistry>,
    /// The tokens that ERPNext issued itself, unless they are refused.
    pub natives: Option<Arc<NativeTokens>>,
    /// The bearer check.
    pub access: Arc<AccessCheck>,
    /// What creates and ends grants.
    pub issuer: Arc<Issuer>,
    /// What ends login sessions.
    pub logouts: Arc<Logouts>,
    /// What tells clients of it.
    pub backchannel: Backchannel,
    /// Our endpoints.
    pub endpoints: Arc<Endpoints>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// The key that all others are derived from.
    pub secret_key: SecretKey,
    /// Counts what peers can make happen at will, for the audit trail.
    pub tally: Arc<Tally>,
}

impl Site {
    /// Opens the store and makes the parts. Nothing is asked of ERPNext yet: it may be away.
    ///
    /// # Errors
    /// A store, key or setting that can't be used, with what to do.
    pub fn new(config: &Config, metrics: &Arc<Metrics>, audit: Audit, io: &Handle) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let audit = Arc::new(audit);
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let secret_key = secret_key::load_or_make(&config.store.secret_key_file)?;
        let store: Arc<dyn Store> = Arc::new(open_store(&config.store.path, &secret_key)?);
        let algorithms = signing_algorithms(config);
        let settings = endpoint_settings(config, &algorithms)?;
        let ground = Ground {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            io: io.clone(),
        };
        let gone = Arc::new(UsersGone::default());
        let erpnext = Arc::new(Erpnext::new(&erpnext_settings(config), ground, hooks(metrics, &audit, &gone, io))?);
        let registry = Arc::new(registry(config, &erpnext, &store));
        let natives = (config.erpnext.native_tokens == NativeTokensSetting::Accept).then(|| erpnext.native_tokens());
        let natives = natives.map(Arc::new);
        io.block_on(recall(&registry, natives.as_deref())).context("what the store has of ERPNext")?;
        let agents = Agents::new(agent_budgets(config));
        io.block_on(recall_agents(&agents, &*store, clock.now())).context("what the store has of agents")?;
        let mint = Arc::new(TokenMint::new(&secret_key));
        let signing = io.block_on(SigningKeys::load(Arc::clone(&store), &algorithms, key_lives(config), clock.now()));
        let signing = Arc::new(signing.context("the signing keys can't be read or made")?);
        let ground = AccessGround {
            mint: Arc::clone(&mint),
            proofs: Arc::new(Proofs::new(config.server.public_url.as_str(), &*random, clock.now())),
            store: Arc::clone(&store),
            directory: Arc::clone(&erpnext) as _,
            clients: Arc::clone(&registry),
            natives: natives.clone(),
            agents,
            jwts: Some(Arc::new(AccessJwts::new(Arc::clone(&signing), config.server.public_url.as_str().to_owned()))),
            user_ttl: config.erpnext.user_ttl,
        };
        let access = Arc::new(AccessCheck::new(ground, &config.cache));
        let invalidation = access.invalidation();
        let used = Arc::clone(metrics);
        let issuer = Arc::new(Issuer {
            store: Arc::clone(&store),
            directory: Arc::clone(&erpnext) as _,
            natives: natives.clone(),
            mint,
            signing,
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            settings: issuer_settings(config),
            grant_ended: Arc::new(move |grant| invalidation.grant_ended(grant)),
            allowances: Arc::new(AllowanceCounter::new(Box::new(move |client, allowance| {
                used.compat.used(client.as_str(), allowance.as_str());
            }))),
            audit: Arc::clone(&audit),
        });
        gone.set_issuer(&issuer);
        let tally = Arc::new(Tally::new(audit));
        let logouts = Arc::new(Logouts::new(Arc::clone(&issuer), Arc::clone(&registry)));
        let endpoints = Arc::new(Endpoints {
            issuer: Arc::clone(&issuer),
            logouts: Arc::clone(&logouts),
            access: Arc::clone(&access),
            clients: Arc::clone(&registry),
            key_sets: KeySets::new(&config.fetch, Arc::clone(&clock))?,
            documents: document_clients(config, &clock)?,
            logins: LoginHasher::new(&secret_key),
            form_key: secret_key.derive(Purpose::Form),
            limits: limits(&config.limits, config.registration.rate),
            tally: Arc::clone(&tally),
            settings,
        });
        let told = Arc::clone(metrics);
        let backchannel = Backchannel::new(Arc::clone(&logouts), Arc::new(move |outcome| told.logouts.notice(outcome)))
            .context("the system's certificates, to tell clients of logouts")?;
        Ok(Self {
            store,
            erpnext,
            clients: registry,
            natives,
            access,
            issuer,
            logouts,
            backchannel,
            endpoints,
            clock,
            random,
            secret_key,
            tally,
        })
    }
}

/// Takes what the store has of ERPNext, for while ERPNext is away.
async fn recall(clients: &ClientRegistry, natives: Option<&NativeTokens>) -> Result<(), DirectoryError> {
    clients.recall().await?;
    match natives {
        Some(natives) => natives.recall().await,
        None => Ok(()),
    }
}

/// Whether agents run, and what they did today.
async fn recall_agents(agents: &Agents, store: &dyn Store, now: UnixTime) -> StoreResult<()> {
    agents.hear(store).await?;
    agents.settle(store, now).await
}

pub(super) const fn agent_budgets(config: &Config) -> Budgets {
    Budgets { requests: config.agents.requests_per_day, writes: config.agents.writes_per_day }
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

fn hooks(metrics: &Arc<Metrics>, audit: &Arc<Audit>, gone: &Arc<UsersGone>, io: &Handle) -> Hooks {
    let (metrics, audit, gone, io) = (Arc::clone(metrics), Arc::clone(audit), Arc::clone(gone), io.clone());
    Hooks {
        on_user_gone: Arc::new(move |user| {
            let (gone, user) = (Arc::clone(&gone), user.clone());
            io.spawn(async move { gone.end_grants(&user).await });
        }),
        on_user_change: Arc::new(move |user, change| {
            let event = match change {
                UserChange::Enabled => "user_enabled",
                UserChange::Disabled => "user_disabled",
            };
            let event = AuditEvent { event, user: Some(user.as_str()), ..AuditEvent::default() };
            audit.record(SystemClock.now(), &event);
        }),
        on_call: Arc::new(move |what, outcome| metrics.erpnext.call(what, outcome)),
    }
}

pub(super) fn open_store(path: &Path, key: &SecretKey) -> anyhow::Result<EmbeddedStore> {
    EmbeddedStore::open(path, SiteId::new(ONLY_SITE), key).context("[store].path")
}

fn sync_is_on(config: &Config) -> bool {
    config.erpnext.clients == ClientSync::Sync
}

/// The blocks that are about clients of ERPNext's, and the clients that the others register.
fn client_blocks(config: &Config) -> (Vec<ClientSettings>, Vec<Client>) {
    let (overrides, own): (Vec<_>, Vec<_>) =
        config.client.iter().partition(|block| sync_is_on(config) && block.is_override());
    (overrides.into_iter().cloned().collect(), own.into_iter().map(ClientSettings::to_client).collect())
}

/// The clients of the file, those that were registered here, and where ERPNext's are known from. Nothing is asked yet.
pub(super) fn registry(config: &Config, erpnext: &Erpnext, store: &Arc<dyn Store>) -> ClientRegistry {
    let (clients, rules) = clients_of(config);
    let upstream = sync_is_on(config).then(|| erpnext.clients(rules));
    let registered = RegisteredClients::new(Arc::clone(store), config.registration.agents)
        .with_documents(config.registration.metadata_documents)
        .removed_after(config.registration.unused_ttl);
    ClientRegistry::with_upstream(clients, upstream).with_registered(registered)
}

fn clients_of(config: &Config) -> (Vec<Client>, ClientRules) {
    let (overrides, clients) = client_blocks(config);
    let (mode, password_grant) = (config.erpnext.client_mode, config.erpnext.password_grant);
    (clients, ClientRules { mode, password_grant, overrides })
}

/// Takes the clients of another configuration; tells which of the file's are another than before.
pub(super) fn replace_clients(registry: &ClientRegistry, config: &Config) -> Vec<ClientId> {
    let (clients, rules) = clients_of(config);
    registry.replace(clients, rules)
}

/// How the gateway's own calls reach ERPNext.
#[must_use]
pub fn erpnext_settings(config: &Config) -> ErpnextSettings {
    let erpnext = &config.erpnext;
    ErpnextSettings {
        urls: erpnext.upstreams().iter().map(|url| url.as_str().to_owned()).collect(),
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
        access_format: tokens.access_format,
        id_token_alg: tokens.id_token_alg,
    }
}

pub(super) const fn key_lives(config: &Config) -> KeyLives {
    let tokens = &config.tokens;
    KeyLives { token: tokens.access_ttl, hint: tokens.refresh_ttl, rotation: tokens.key_rotation }
}

/// The gateway's own algorithm first, then those that clients have instead.
pub(super) fn signing_algorithms(config: &Config) -> Vec<SigningAlgorithm> {
    let clients = client_blocks(config).1;
    let mut algorithms = vec![config.tokens.id_token_alg];
    for algorithm in config.client.iter().filter_map(|client| client.id_token_alg) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    let by_secret = |client: &Client| client.allows(Allowance::Hs256) && client.secret.is_some();
    let upstream = sync_is_on(config) && config.erpnext.client_mode == ClientMode::Compat;
    if (upstream || clients.iter().any(by_secret)) && !algorithms.contains(&SigningAlgorithm::Hs256) {
        algorithms.push(SigningAlgorithm::Hs256);
    }
    // OpenID Connect Discovery §3: RS256 must be there.
    if !algorithms.contains(&SigningAlgorithm::Rs256) {
        algorithms.push(SigningAlgorithm::Rs256);
    }
    algorithms
}

fn endpoint_settings(config: &Config, algorithms: &[SigningAlgorithm]) -> anyhow::Result<EndpointSettings> {
    Ok(EndpointSettings {
        public_origin: config.server.public_url.as_str().to_owned(),
        site_name: match config.pages.site_name.trim() {
            "" => config.server.public_url.origin().host().to_owned(),
            name => name.to_owned(),
        },
        look: Look::new(&config.pages),
        signing_algorithms: algorithms.to_vec(),
        allowed_origins: config.cors.allowed_origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
        login_page: config.login.page,
        introspection_needs_client: config.introspection.require_client_auth,
        revocation_needs_client: config.revocation.require_client_auth,
        registration: registration_rules(config),
        rules: Arc::new(CurrentRouter::from_pointee(Router::new(&config.route)?)),
    })
}

/// Whom the configuration lets register clients, if anybody.
fn registration_rules(config: &Config) -> Option<RegistrationRules> {
    let settings = &config.registration;
    settings.enabled.then(|| RegistrationRules {
        policy: registration_policy(config),
        initial_token: settings.initial_token.clone(),
        most: settings.max_clients.into(),
    })
}

/// The clients that the configuration lets documents describe, if any.
fn document_clients(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Option<DocumentClients>> {
    if !config.registration.metadata_documents {
        return Ok(None);
    }
    Ok(Some(DocumentClients {
        documents: ClientDocuments::new(&config.fetch, Arc::clone(clock))?,
        policy: registration_policy(config),
        most: config.registration.max_clients.into(),
    }))
}

fn registration_policy(config: &Config) -> RegistrationPolicy {
    let settings = &config.registration;
    RegistrationPolicy {
        scopes: settings.scopes.iter().cloned().collect(),
        redirect_hosts: settings.redirect_hosts.clone(),
        loopback: settings.loopback,
        document_hosts: config.fetch.allow_hosts.clone(),
    }
}

fn limits(settings: &LimitsSettings, registration: Rate) -> Limits {
    let limit = |rate| Limit::new(allotment(rate));
    Limits {
        token_failures: limit(settings.token_failures),
        introspection_misses: limit(settings.introspection_misses),
        authorize: limit(settings.authorize),
        registration: limit(registration),
        login_failures: limit(settings.login_failures),
        user_codes: limit(settings.user_codes),
    }
}

/// Other limits from now on.
pub(super) fn change_limits(limits: &Limits, settings: &LimitsSettings) {
    limits.token_failures.change(allotment(settings.token_failures));
    limits.introspection_misses.change(allotment(settings.introspection_misses));
    limits.authorize.change(allotment(settings.authorize));
    limits.login_failures.change(allotment(settings.login_failures));
    limits.user_codes.change(allotment(settings.user_codes));
}

fn allotment(rate: Rate) -> Allotment {
    Allotment { burst: rate.count.get(), period: rate.per.length() }
}
