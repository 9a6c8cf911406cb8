//! What is another in one configuration than in another, by key.

use super::Config;

/// What differs between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys, and names of blocks, that a running gateway can take over.
    pub reloaded: Vec<&'static str>,
    /// Keys that count from the next start.
    pub for_restart: Vec<&'static str>,
}

/// The keys of a section that differ; the section itself, if it differs in none that is named here.
macro_rules! differing {
    ($old:ident, $new:ident, $section:ident, [$($key:ident),* $(,)?]) => {{
        let mut keys: Vec<&'static str> = Vec::new();
        $(
            if $old.$section.$key != $new.$section.$key {
                keys.push(concat!(stringify!($section), ".", stringify!($key)));
            }
        )*
        if keys.is_empty() && $old.$section != $new.$section {
            keys.push(stringify!($section));
        }
        keys
    }};
}

impl Config {
    /// What this configuration changes in one that runs: `started` is what it was started with, `current` what it took
    /// over last.
    #[must_use]
    pub fn changes(&self, started: &Self, current: &Self) -> Changes {
        let mut reloaded = self.reloadable(current);
        // Whether clients of ERPNext's are known at all decides what a block means.
        if self.erpnext.clients != started.erpnext.clients {
            reloaded.retain(|key| !CLIENT_KEYS.contains(key));
        }
        Changes { reloaded, for_restart: self.for_restart(started) }
    }

    fn reloadable(&self, old: &Self) -> Vec<&'static str> {
        let mut changed = Vec::new();
        changed.extend((self.client != old.client).then_some("client"));
        changed.extend((self.route != old.route).then_some("route"));
        changed.extend(differing!(
            old,
            self,
            limits,
            [token_failures, introspection_misses, authorize, login_failures, user_codes]
        ));
        changed.extend((self.log.level != old.log.level).then_some("log.level"));
        changed.extend((self.log.access != old.log.access).then_some("log.access"));
        changed.extend((self.erpnext.client_mode != old.erpnext.client_mode).then_some("erpnext.client_mode"));
        changed.extend((self.erpnext.password_grant != old.erpnext.password_grant).then_some("erpnext.password_grant"));
        if let (Some(tls), Some(old)) = (&self.server.tls, &old.server.tls) {
            changed.extend((tls.certificate_file != old.certificate_file).then_some("server.tls.certificate_file"));
            changed.extend((tls.key_file != old.key_file).then_some("server.tls.key_file"));
        }
        changed
    }

    fn for_restart(&self, started: &Self) -> Vec<&'static str> {
        // What is taken over at once is no difference.
        let mut old = started.clone();
        old.log.level = self.log.level;
        old.log.access = self.log.access;
        old.erpnext.client_mode = self.erpnext.client_mode;
        old.erpnext.password_grant = self.erpnext.password_grant;
        if let (Some(tls), Some(old)) = (&self.server.tls, &mut old.server.tls) {
            old.certificate_file.clone_from(&tls.certificate_file);
            old.key_file.clone_from(&tls.key_file);
        }
        let mut keys = Vec::new();
        keys.extend(differing!(
            old,
            self,
            server,
            [
                listen,
                public_url,
                threads,
                trusted_proxies,
                header_timeout,
                keepalive_timeout,
                max_header,
                min_body_rate,
                max_connections,
                max_connections_per_address,
                shutdown_grace,
                tls,
            ]
        ));
        keys.extend(differing!(old, self, admin, [listen]));
        keys.extend(differing!(
            old,
            self,
            erpnext,
            [
                url,
                urls,
                socketio_url,
                site_name,
                host_header,
                api_key_file,
                api_key,
                connect_timeout,
                response_timeout,
                clients,
                client_sync_interval,
                native_tokens,
                user_ttl,
                shadow_token_ttl,
            ]
        ));
        keys.extend(differing!(
            old,
            self,
            tokens,
            [access_ttl, refresh_ttl, refresh_grace, code_ttl, access_format, id_token_alg, key_rotation]
        ));
        keys.extend(differing!(old, self, cache, [capacity, ttl, unknown_capacity, unknown_ttl]));
        keys.extend(differing!(old, self, store, [kind, path, secret_key_file]));
        keys.extend(differing!(old, self, introspection, [require_client_auth]));
        keys.extend(differing!(old, self, revocation, [require_client_auth]));
        keys.extend(differing!(
            old,
            self,
            registration,
            [
                enabled,
                metadata_documents,
                initial_token_file,
                initial_token,
                scopes,
                redirect_hosts,
                loopback,
                unused_ttl,
                rate,
                max_clients,
                agents,
            ]
        ));
        keys.extend(differing!(old, self, agents, [requests_per_day, writes_per_day]));
        keys.extend(differing!(old, self, fetch, [allow_hosts, ca_file]));
        keys.extend(differing!(old, self, cors, [allowed_origins]));
        keys.extend(differing!(old, self, login, [page]));
        keys.extend(differing!(old, self, pages, [site_name, logo_file, logo, colour]));
        keys.extend(differing!(old, self, log, [format, audit_file]));
        keys
    }
}

/// What [`Changes::reloaded`] names when clients are others.
pub const CLIENT_KEYS: [&str; 3] = ["client", "erpnext.client_mode", "erpnext.password_grant"];

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!("server.public_url = \"https://erp.example.com\"\nerpnext.api_key = \"a:b\"\n{more}");
        Config::from_toml(&text).expect("a configuration")
    }

    #[test]
    fn each_key_is_named_that_differs_and_whether_it_waits_for_a_restart() {
        let started = config("log.level = \"info\"");
        let next = config(
            "log.level = \"debug\"\nlimits.token_failures = \"3/m\"\nserver.threads = 3\ntokens.code_ttl = \"50s\"\n\
             erpnext.client_mode = \"strict\"\n[[client]]\nid = \"c\"\nredirect_uris = [\"https://a.example/cb\"]\n\
             [[route]]\npath = \"/x\"\nauth = \"deny\"\n",
        );
        let changes = next.changes(&started, &started);
        assert_eq!(changes.reloaded, ["client", "route", "limits.token_failures", "log.level", "erpnext.client_mode"]);
        assert_eq!(changes.for_restart, ["server.threads", "tokens.code_ttl"]);
        let again = next.changes(&started, &next);
        assert_eq!((again.reloaded.len(), again.for_restart), (0, changes.for_restart), "until the restart");
        assert_eq!(started.changes(&started, &started), Changes::default());
    }

    #[test]
    fn clients_wait_when_what_a_block_means_does() {
        let started = config("erpnext.clients = \"off\"");
        let next = config("[[client]]\nid = \"c\"\nmode = \"strict\"");
        let changes = next.changes(&started, &started);
        assert_eq!((changes.reloaded.len(), changes.for_restart), (0, vec!["erpnext.clients"]));
    }

    #[test]
    fn tls_files_are_taken_over_and_listeners_are_not() {
        let tls = |more: &str| config(&format!("[server.tls]\n{more}"));
        let changes = tls("certificate_file = \"/a\"\nlisten = [\"127.0.0.1:1\"]").changes(&tls(""), &tls(""));
        assert_eq!(changes.reloaded, ["server.tls.certificate_file"]);
        assert_eq!(changes.for_restart, ["server.tls"]);
    }
}
