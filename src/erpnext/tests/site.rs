//! A stand-in for ERPNext with an adapter in front of it, and a clock that is moved by hand.

use std::{
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use tempfile::TempDir;
use tokio::runtime::Handle;

use super::{
    shadow_store::ShadowStore,
    standin::{GATEWAY_API_KEY, GATEWAY_API_SECRET, Recorded, StandIn},
};
use crate::{
    clock::{Clock, ManualClock, SystemClock, UnixTime},
    erpnext::{Directory, Erpnext, ErpnextSettings, Ground, Hooks, UpstreamUser},
    oauth::{SiteId, UserName},
    random::OsRandom,
    secret::{Secret, SecretKey},
    store::{EmbeddedStore, GrantUser, Store},
};

pub(super) const USER_TTL: Duration = Duration::from_secs(30);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const PUBLIC_URL: &str = "https://erp.example.com";

/// With a store that keeps shadow tokens alone, or with a real one.
pub(super) struct Site<S = ShadowStore> {
    pub(super) standin: StandIn,
    pub(super) store: Arc<S>,
    pub(super) clock: ManualClock,
    pub(super) erpnext: Arc<Erpnext>,
    gone: Arc<Mutex<Vec<String>>>,
    _folder: Option<TempDir>,
}

impl Site {
    pub(super) fn start() -> Self {
        Self::with_key(&format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}\n"))
    }

    pub(super) fn with_key(api_key: &str) -> Self {
        Self::new(ShadowStore::default(), ManualClock::at(UnixTime::from_secs(1_795_464_000)), api_key, None)
    }
}

impl Site<EmbeddedStore> {
    /// With a clock that stands at the stand-in's own time.
    pub(super) fn start_now() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, key) = (folder.path().join("empress.db"), SecretKey::new([1; 32]));
        let store = EmbeddedStore::open(&path, SiteId::new("site"), &key).expect("a store");
        let api_key = format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}");
        Self::new(store, ManualClock::at(SystemClock.now()), &api_key, Some(folder))
    }
}

impl<S: Store> Site<S> {
    fn new(store: S, clock: ManualClock, api_key: &str, folder: Option<TempDir>) -> Self {
        let (standin, store, gone) = (StandIn::start(), Arc::new(store), Arc::default());
        let erpnext = adapter(&standin, Arc::clone(&store) as _, &clock, &gone, api_key);
        Self { standin, store, clock, erpnext, gone, _folder: folder }
    }

    /// A second process on the same store.
    pub(super) fn another(&self) -> Arc<Erpnext> {
        let api_key = format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}");
        adapter(&self.standin, Arc::clone(&self.store) as _, &self.clock, &self.gone, &api_key)
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
    store: Arc<dyn Store>,
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
        connect_timeout: Duration::from_secs(60),
        call_timeout: Duration::from_secs(60),
        user_ttl: USER_TTL,
        shadow_token_ttl: 30 * DAY,
    };
    let ground = Ground { store, clock: Arc::new(clock.clone()), random: Arc::new(OsRandom), io: Handle::current() };
    let gone = Arc::clone(gone);
    let told = move |name: &UserName| gone.lock().expect("a lock").push(name.as_str().to_owned());
    let hooks = Hooks { on_user_gone: Arc::new(told), ..Hooks::default() };
    Arc::new(Erpnext::new(&settings, ground, hooks).expect("settings that work"))
}
