//! SIGHUP: reads the configuration again and takes over what a running gateway can. All of it or nothing: what can't be
//! used is found before anything changes.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::runtime::Handle;

use super::{
    site::{self, Site},
    systemd,
    tls::{Certificate, NextCertificate, TlsFiles},
};
use crate::{
    config::{CLIENT_KEYS, Changes, Config},
    route::Router,
    telemetry::{
        audit::AuditEvent,
        logging::{self, AccessLog, RELOAD_TARGET},
    },
};

/// What can be reloaded, and from where.
pub(super) struct Reload {
    file: PathBuf,
    site: Arc<Site>,
    certificate: Option<Arc<Certificate>>,
    runtime: Handle,
    started: Config,
    current: Mutex<Config>,
}

/// A configuration of which everything can be used.
struct Next {
    config: Config,
    router: Router,
    certificate: Option<NextCertificate>,
}

impl Reload {
    /// Takes what it works on. `config` is what the gateway was started with, from `file`.
    pub(super) fn new(
        file: PathBuf,
        config: &Config,
        site: &Arc<Site>,
        certificate: Option<Arc<Certificate>>,
        runtime: Handle,
    ) -> Self {
        let current = Mutex::new(config.clone());
        Self { file, site: Arc::clone(site), certificate, runtime, started: config.clone(), current }
    }

    /// Reads the file again, and says in the log what came of it.
    pub(super) fn again(&self) {
        systemd::reloading();
        match self.next() {
            Ok(next) => self.take_over(next),
            Err(problem) => {
                tracing::error!("not reloaded, nothing has changed: {problem}");
                systemd::reloaded(Some("the last reload failed, the configuration before it is in use: see the log"));
            }
        }
    }

    /// The new configuration, if all of it can be used.
    fn next(&self) -> Result<Next, String> {
        let config = Config::load(&self.file).map_err(|problems| problems.to_string())?;
        let named = |problem: &dyn std::fmt::Display| format!("{}: {problem}", self.file.display());
        let router = Router::new(&config.route).map_err(|problems| named(&problems))?;
        let certificate = match (&self.certificate, &config.server.tls) {
            (Some(_), Some(tls)) => {
                let files = TlsFiles { certificate: tls.certificate_file.clone(), key: tls.key_file.clone() };
                Some(Certificate::read(files).map_err(|problem| named(&problem))?)
            }
            _ => None,
        };
        let running = &self.site.endpoints.settings.signing_algorithms;
        if let Some(other) = site::signing_algorithms(&config).into_iter().find(|other| !running.contains(other)) {
            let problem = format!("a client asks for id_tokens by {other}, for which there is no key yet: restart");
            return Err(named(&problem));
        }
        Ok(Next { config, router, certificate })
    }

    fn take_over(&self, next: Next) {
        let Next { config, router, certificate } = next;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Changes { mut reloaded, for_restart } = config.changes(&self.started, &current);
        self.site.endpoints.settings.rules.store(Arc::new(router));
        site::change_limits(&self.site.endpoints.limits, &config.limits);
        let access = if config.log.access { AccessLog::On } else { AccessLog::Off };
        logging::change(config.log.level, access);
        if let (Some(certificate), Some(next)) = (&self.certificate, certificate)
            && certificate.show(next)
        {
            reloaded.push("the certificate");
        }
        if reloaded.iter().any(|key| CLIENT_KEYS.contains(key)) {
            self.replace_clients(&config);
        }
        *current = config;
        drop(current);
        self.tell(&reloaded, &for_restart);
    }

    fn replace_clients(&self, config: &Config) {
        let changed = site::replace_clients(&self.site.clients, config);
        let issuer = &self.site.issuer;
        for client in changed {
            // Whoever consented did so with another client (decision 16).
            if let Err(error) = self.runtime.block_on(issuer.client_changed(&client)) {
                tracing::error!(%error, %client, "the consents of a client that has changed can't be forgotten");
            }
        }
        // Tokens in memory hold their client as it was.
        self.site.access.invalidation().everything();
    }

    fn tell(&self, reloaded: &[&str], for_restart: &[&str]) {
        let changed = if reloaded.is_empty() { "nothing".to_owned() } else { reloaded.join(", ") };
        if !reloaded.is_empty() {
            let event = AuditEvent { event: "configuration_reloaded", reason: Some(&changed), ..AuditEvent::default() };
            self.site.issuer.record(&event);
        }
        let mut status = None;
        if !for_restart.is_empty() {
            let keys = for_restart.join(", ");
            tracing::warn!(target: RELOAD_TARGET, %keys, "changed in the file, but not taken over before a restart");
            status = Some(format!("restart to take over: {keys}"));
        }
        tracing::info!(target: RELOAD_TARGET, %changed, "reloaded");
        systemd::reloaded(status.as_deref());
    }
}
