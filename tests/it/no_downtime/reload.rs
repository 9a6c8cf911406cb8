//! SIGHUP, and certificates whose files change.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::ring, pki_types::CertificateDer};

use super::load::{progress, under_load};
use crate::{
    standin::ALICE,
    support::{APP, Port, Request, SHOP, Setup, TestGateway, until},
};

const DENY_ROLES: &str = "path = '/api/resource/Role/**'\nauth = 'deny'";
const NEEDS_A_KEY: &str =
    "[[client]]\nid = \"es\"\nid_token_alg = \"ES256\"\nredirect_uris = [\"https://a.example/cb\"]\n";
const PING: &str = "/api/method/ping";

fn roles(gateway: &TestGateway) -> u16 {
    let sid = gateway.standin.login(ALICE);
    gateway.send(&Request::get("/api/resource/Role").header("Cookie", &format!("sid={sid}"))).status
}

#[test]
fn rules_clients_limits_and_the_log_level_are_taken_over_and_what_waits_for_a_restart_is_named() {
    let mut gateway = Setup::new().without_client("app").start();
    let kept = gateway.tokens(ALICE, SHOP, &[]);
    assert_eq!(roles(&gateway), 200);
    assert_eq!(gateway.refresh(APP, "x", &[]).error(), "invalid_client");
    let next = Setup::new().route(DENY_ROLES).set("limits.token_failures", "1/h").set("log.level", "warn");
    let said = gateway.reload(next.set("tokens.code_ttl", "50s"));
    for part in ["client, route, limits.token_failures, log.level", "configuration_reloaded"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("tokens.code_ttl") && said.contains("restart"), "{said}");
    assert_eq!(roles(&gateway), 403);
    gateway.acts_as(&kept.access, ALICE);
    gateway.tokens(ALICE, APP, &[]);
    let failed = |gateway: &TestGateway| gateway.refresh(SHOP.with_secret("wrong"), "x", &[]).status;
    assert_eq!((failed(&gateway), failed(&gateway)), (401, 429));
    let quiet = gateway.log().len();
    assert_eq!(gateway.refresh(APP, "x", &[]).status, 429);
    assert!(!gateway.log()[quiet..].contains("\"level\":\"DEBUG\""));
    // And back.
    gateway.reload(Setup::new().without_client("app"));
    assert_eq!(roles(&gateway), 200);
    assert_eq!(failed(&gateway), 401, "a new limit begins empty");
}

#[test]
fn tokens_of_a_client_that_the_file_has_no_longer_are_refused_until_it_has_it_again() {
    let mut gateway = TestGateway::start();
    let (of_app, of_shop) = (gateway.tokens(ALICE, APP, &[]), gateway.tokens(ALICE, SHOP, &[]));
    gateway.acts_as(&of_app.access, ALICE);
    gateway.reload(Setup::new().without_client("app"));
    gateway.refuses("its client is gone", &of_app.access);
    gateway.acts_as(&of_shop.access, ALICE);
    gateway.reload(Setup::new());
    until("it is believed again", || (gateway.whoami(&of_app.access).status == 200).then_some(()));
}

/// T82
#[test]
fn a_file_that_can_not_be_used_changes_nothing_and_says_so() {
    let gateway = Setup::new().without_client("es256").route(DENY_ROLES).start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let file = gateway.folder().join("gateway.toml");
    let good = fs::read_to_string(&file).expect("the configuration");
    let without_rules = good.replace("deny", "pass");
    let secret = gateway.folder().join("open.secret");
    fs::write(&secret, "open-to-all-open-to-all-open-to-all").expect("a file");
    let open = format!(
        "[[client]]\nid = \"open\"\nredirect_uris = [\"https://a.example/cb\"]\nsecret_file = \"{}\"\n",
        secret.display()
    );
    for (wrong, part) in [
        (format!("{without_rules}\n[broken"), "not TOML"),
        (format!("{without_rules}\n[unheard_of]\nx = 1\n"), "unheard_of"),
        (format!("{without_rules}\n[[route]]\npath = '/x'\nauth = 'deny'\n[[route]]\npath = '/x'\n"), "same path"),
        (format!("{without_rules}\n[[route]]\npath = 'x'\nauth = 'deny'\n"), "path"),
        (format!("{without_rules}\n{open}"), "secret_file"),
        (format!("{without_rules}\n{NEEDS_A_KEY}"), "restart"),
        (String::new(), "public_url"),
    ] {
        fs::write(&file, &wrong).expect("a file");
        let said = gateway.hang_up("not reloaded, nothing has changed");
        assert!(said.contains(part), "{part}: {said}");
        assert_eq!(roles(&gateway), 403, "{part}");
        gateway.acts_as(&tokens.access, ALICE);
        let checked =
            Command::new(env!("CARGO_BIN_EXE_empress-gateway")).arg("check").arg("--config").arg(&file).output();
        let checked = checked.expect("it runs");
        assert!(checked.status.success() == (part == "restart"), "{part}: {checked:?}");
    }
    fs::remove_file(&file).expect("it was there");
    gateway.hang_up("not reloaded, nothing has changed");
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.get(PING).status, 200);
}

#[test]
fn no_request_fails_while_the_configuration_is_reloaded_again_and_again() {
    let gateway = TestGateway::start();
    let setups = |round: usize| {
        let setup = Setup::new().set("limits.token_failures", format!("{}/m", 1000 + round));
        if round.is_multiple_of(2) { setup.route(DENY_ROLES) } else { setup }
    };
    let controls = gateway.controls();
    under_load(&gateway, |seen| {
        for round in 0..20 {
            controls.with(&setups(round));
            progress(seen);
        }
    });
}

struct Made {
    certificate: CertificateDer<'static>,
    chain: String,
    key: String,
}

fn made() -> Made {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    Made { certificate: made.cert.der().clone(), chain: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

/// Whether a handshake shows this certificate.
fn shows(port: u16, made: &Made) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(made.certificate.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).expect("it listens");
    let mut tls = ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("a client");
    while tls.is_handshaking() {
        if tls.complete_io(&mut tcp).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_renewed_certificate_is_shown_by_itself_or_at_once_by_signal_and_a_wrong_one_never() {
    let (folder, port) = (tempfile::tempdir().expect("a folder"), Port::reserve());
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let put = |path: &Path, text: &str| {
        // As ACME clients do it: another file in its place.
        let next = path.with_extension("next");
        fs::write(&next, text).expect("a file");
        fs::set_permissions(&next, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
        fs::rename(next, path).expect("renamed");
    };
    let (first, second, third) = (made(), made(), made());
    put(&chain, &first.chain);
    put(&key, &first.key);
    let tls: toml::Table = toml::from_str(&format!(
        "listen = [\"127.0.0.1:{}\"]\ncertificate_file = {chain:?}\nkey_file = {key:?}",
        port.number
    ))
    .expect("TOML");
    let gateway = Setup::new().set("server.tls", tls).start();
    assert!(shows(port.number, &first) && !shows(port.number, &second));
    put(&chain, &second.chain);
    until("half a renewal is noticed", || gateway.log().contains("the certificate stays as it was").then_some(()));
    assert!(shows(port.number, &first));
    put(&key, &second.key);
    until("the renewed certificate is shown", || shows(port.number, &second).then_some(()));
    put(&chain, &third.chain);
    let said = gateway.hang_up("not reloaded, nothing has changed");
    assert!(said.contains("don't work together"), "{said}");
    put(&key, &third.key);
    let said = gateway.hang_up("reloaded");
    assert!(said.contains("reloaded") && shows(port.number, &third), "{said}");
}
