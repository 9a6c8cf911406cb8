//! A stand-in for ERPNext with an adapter in front of it, and a clock that is moved by hand.

use std::{
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    shadow_store::ShadowStore,
    standin::{GATEWAY_API_KEY, GATEWAY_API_SECRET, Recorded, StandIn},
};
use crate::{
    clock::{ManualClock, UnixTime},
    erpnext::{Directory, Erpnext, ErpnextSettings, Ground, Hooks, UpstreamUser},
    oauth::UserName,
    random::OsRandom,
    secret::Secret,
    store::GrantUser,
};

pub(super) const USER_TTL: Duration = Duration::from_secs(30);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const PUBLIC_URL: &str = "https://erp.example.com";

pub(super) struct Site {
    pub(super) standin: StandIn,
    pub(super) store: Arc<ShadowStore>,
    pub(super) clock: ManualClock,
    pub(super) erpnext: Arc<Erpnext>,
    gone: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(super) fn start() -> Self {
        Self::with_key(&format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}\n"))
    }

    pub(super) fn with_key(api_key: &str) -> Self {
        let (standin, store) = (StandIn::start(), Arc::new(ShadowStore::default()));
        let (clock, gone) = (ManualClock::at(UnixTime::from_secs(1_795_464_000)), Arc::default());
        let erpnext = adapter(&standin, &store, &clock, &gone, api_key);
        Self { standin, store, clock, erpnext, gone }
    }

    /// A second process on the same store.
    pub(super) fn another(&self) -> Arc<Erpnext> {
        let api_key = format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}");
        adapter(&self.standin, &self.store, &self.clock, &self.gone, &api_key)
    }

    /// The user under the subject that it has now.
    pub(super) async fn user(&self, name: &str) -> Arc<UpstreamUser> {
        let user = self.erpnext.user(&UserName::new(name)).await.expect("an answer").expect("a user");
        self.erpnext.upstream_user(&GrantUser { name: user.name, sub: user.sub })
    }

    /// Users of whom the composition was told that they are gone.
    pub(super) fn gone(&self) -> Vec<String> {
        self.gone.lock().expect("a lock").clone()
    }

    /// How many requests had this method and this in their target.
    pub(super) fn calls(&self, method: &str, part: &str) -> usize {
        self.standin.count(|request: &Recorded| request.method == method && request.target.contains(part))
    }

    /// How many shadow tokens were asked for.
    pub(super) fn creations(&self) -> usize {
        self.calls("POST", "/api/resource/OAuth%20Bearer%20Token")
    }

    /// How many times a token was probed.
    pub(super) fn probes(&self) -> usize {
        self.calls("GET", "frappe.realtime.get_user_info")
    }
}

fn adapter(
    standin: &StandIn,
    store: &Arc<ShadowStore>,
    clock: &ManualClock,
    gone: &Arc<Mutex<Vec<String>>>,
    api_key: &str,
) -> Arc<Erpnext> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let settings = ErpnextSettings {
        urls: vec![standin.url()],
        public_url: PUBLIC_URL.to_owned(),
        site_name: None,
        host_header: None,
        api_key: Secret::new(api_key),
        connect_timeout: Duration::from_secs(2),
        call_timeout: Duration::from_secs(5),
        user_ttl: USER_TTL,
        shadow_token_ttl: 30 * DAY,
    };
    let ground = Ground {
        store: Arc::<ShadowStore>::clone(store),
        clock: Arc::new(clock.clone()),
        random: Arc::new(OsRandom),
        io: Handle::current(),
    };
    let gone = Arc::clone(gone);
    let told = move |name: &UserName| gone.lock().expect("a lock").push(name.as_str().to_owned());
    let hooks = Hooks { on_user_gone: Arc::new(told), ..Hooks::default() };
    Arc::new(Erpnext::new(&settings, ground, hooks).expect("settings that work"))
}
