//! What commands work with beside a running gateway: its store, ERPNext, the audit trail. Nothing is made that is not
//! there already, but the runtime.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use tokio::runtime::{Builder, Runtime};

use super::site;
use crate::{
    clock::{Clock, SystemClock},
    config::{Config, NativeTokens as NativeTokensSetting},
    erpnext::{Erpnext, Ground, Hooks, NativeTokens},
    issuer::KeyLives,
    oauth::{Client, TokenMint},
    random::OsRandom,
    store::{Store, secret_key},
    telemetry::{
        audit::Audit,
        logging::{self, AccessLog, Level},
    },
};

/// A runtime for the calls of one command.
///
/// # Errors
/// When the system has no thread left.
pub fn runtime() -> io::Result<Runtime> {
    // Another part of the process may have installed one; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

/// The parts of a site that commands need.
pub struct Tools {
    /// Runs them.
    pub runtime: Runtime,
    /// The store that the gateway has.
    pub store: Arc<dyn Store>,
    /// ERPNext, as the gateway's account.
    pub erpnext: Erpnext,
    /// The tokens that ERPNext issued, unless they are refused.
    pub natives: Option<NativeTokens>,
    /// Recognises tokens.
    pub mint: TokenMint,
    /// How long signing keys live.
    pub key_lives: KeyLives,
    /// The time.
    pub clock: Arc<dyn Clock>,
    audit_file: Option<PathBuf>,
    store_file: PathBuf,
}

impl Tools {
    /// Opens what is there. The gateway may be running: it hears of what is ended within a second.
    ///
    /// # Errors
    /// Whatever can't be opened or is not there, with what to do.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let settings = &config.store;
        for (key, path) in [("path", &settings.path), ("secret_key_file", &settings.secret_key_file)] {
            if !path.exists() {
                bail!(
                    "[store].{key} {} is not there: name the one that the gateway runs with, or start the gateway first",
                    path.display()
                );
            }
        }
        // Another command of this process may have started it.
        let _ = logging::init(Level::Warn, config.log.format, AccessLog::Off);
        let runtime = runtime()?;
        let secret_key = secret_key::load_or_make(&settings.secret_key_file)?;
        let store: Arc<dyn Store> = Arc::new(site::open_store(&settings.path, &secret_key)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ground = Ground {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            random: Arc::new(OsRandom),
            io: runtime.handle().clone(),
        };
        let erpnext = Erpnext::new(&site::erpnext_settings(config), ground, Hooks::default())?;
        let accepts = config.erpnext.native_tokens == NativeTokensSetting::Accept;
        let natives = accepts.then(|| erpnext.native_tokens());
        let (audit_file, store_file) = (config.log.audit_file.clone(), settings.path.clone());
        let (mint, key_lives) = (TokenMint::new(&secret_key), site::key_lives(config));
        Ok(Self { runtime, store, erpnext, natives, mint, key_lives, clock, audit_file, store_file })
    }

    /// The registered clients: those of the configuration, and those that ERPNext had when the gateway asked last.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn clients(&self, config: &Config) -> anyhow::Result<Vec<Client>> {
        let registry = site::registry(config, &self.erpnext, &self.store);
        self.runtime.block_on(registry.recall())?;
        Ok(registry.known().iter().map(|client| Client::clone(client)).collect())
    }

    /// Opens the audit trail, for a command that is about to change something.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn audit(&self) -> anyhow::Result<Audit> {
        self.audit_file.as_deref().map_or_else(|| Ok(Audit::with_log()), |path| open_audit(path, &self.store_file))
    }
}

/// A trail that begins here must be the gateway's to go on with, though an operator may be somebody else.
fn open_audit(path: &Path, store: &Path) -> anyhow::Result<Audit> {
    let fresh = !path.exists();
    let audit = Audit::open(path).with_context(|| format!("[log].audit_file {}", path.display()))?;
    if fresh && let Ok(owner) = fs::metadata(store) {
        chown(path, Some(owner.uid()), Some(owner.gid())).with_context(|| format!("{}", path.display()))?;
    }
    Ok(audit)
}
