//! The device authorization grant: T70, and what else somebody may try with its codes.

use crate::{
    standin::{ALICE, BOB},
    support::{Browser, Device, METHOD, Request, SHOP, Setup, TV, TV_BLOCK, TestGateway, Tokens, hidden},
};

fn start() -> TestGateway {
    Setup::new().client(TV_BLOCK).start()
}

fn path() -> String {
    format!("{METHOD}device")
}

fn allowed(gateway: &TestGateway, device: &Device) {
    let mut browser = Browser::of(gateway, ALICE);
    let page = browser.type_code(&device.user_code);
    assert_eq!(browser.decide_device(&page, "allow").status, 200);
}

/// T70. Wrong codes count for the user, from wherever, and for the address, whoever it is.
#[test]
fn who_guesses_user_codes_is_blocked_as_user_and_as_address() {
    let gateway = Setup::new()
        .client(TV_BLOCK)
        .set("limits.user_codes", "3/m")
        .set("server.trusted_proxies", vec!["127.0.0.0/8".to_owned()])
        .start();
    let device = Device::ask(&gateway, TV, &[]);
    let (mut alice, mut bob) = (Browser::of(&gateway, ALICE), Browser::of(&gateway, BOB));
    let attempt = |browser: &mut Browser<'_>, from: &str, code: &str| {
        let token = hidden(&browser.get(&path()), "token");
        let origin = gateway.url();
        let request = Request::form(&path(), &[("token", &token), ("user_code", code)]);
        browser.send(request.header("Origin", &origin).header("X-Forwarded-For", from))
    };
    for n in 0..3 {
        assert_eq!(attempt(&mut alice, &format!("10.0.0.{n}"), "BBBB-BBBB").status, 400);
    }
    let answer = attempt(&mut alice, "10.0.0.9", &device.user_code);
    assert_eq!(answer.status, 429, "the right one too: {answer}");
    assert!(answer.header("retry-after").is_some() && !answer.text().contains("Living room"), "{answer}");
    assert_eq!(attempt(&mut bob, "10.0.0.9", &device.user_code).status, 200, "another user is not");
    for code in ["CCCC-CCCC", "x", ""] {
        assert_eq!(attempt(&mut bob, "10.0.1.1", code).status, 400, "{code}");
    }
    let mut other = Browser::of(&gateway, crate::standin::CAROL);
    assert_eq!(attempt(&mut other, "10.0.1.1", &device.user_code).status, 429, "the address of who was wrong");
}

/// T70
#[test]
fn a_device_that_polls_faster_than_the_interval_is_told_to_slow_down() {
    let gateway = start();
    let device = Device::ask(&gateway, TV, &[]);
    let polls = [(); 4].map(|()| device.poll(&gateway, TV).error());
    assert_eq!(polls, ["authorization_pending", "slow_down", "slow_down", "slow_down"]);
    allowed(&gateway, &device);
    assert_eq!(device.poll(&gateway, TV).status, 200, "what was granted need not wait");
}

#[test]
fn a_device_code_that_comes_again_ends_its_grant() {
    let gateway = start();
    let device = Device::ask(&gateway, TV, &[]);
    allowed(&gateway, &device);
    let tokens = Tokens::of(&device.poll(&gateway, TV));
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(device.poll(&gateway, TV).error(), "invalid_grant");
    gateway.refuses("replayed", &tokens.access);
    assert_eq!(gateway.refresh(TV, &tokens.refresh, &[]).error(), "invalid_grant");
}

#[test]
fn a_device_code_is_of_no_use_to_another_client() {
    let other = TV_BLOCK.replace("'tv'", "'radio'");
    let gateway = Setup::new().client(TV_BLOCK).client(&other).start();
    let device = Device::ask(&gateway, TV, &[]);
    allowed(&gateway, &device);
    assert_eq!(device.poll(&gateway, TV.named("radio", "")).error(), "invalid_grant");
    assert_eq!(device.poll(&gateway, SHOP).error(), "unauthorized_client");
    let code = [("grant_type", "authorization_code"), ("code", device.code.as_str())];
    assert_eq!(gateway.as_client(SHOP, "get_token", &code).error(), "invalid_grant", "it is no authorization code");
    let tokens = Tokens::of(&device.poll(&gateway, TV));
    gateway.acts_as(&tokens.access, ALICE);
}

/// T25: what is decided is what this login session was shown.
#[test]
fn a_device_is_allowed_only_by_the_form_that_its_user_was_shown() {
    let gateway = start();
    let (device, second) = (Device::ask(&gateway, TV, &[]), Device::ask(&gateway, TV, &[]));
    let (mut alice, mut bob) = (Browser::of(&gateway, ALICE), Browser::of(&gateway, BOB));
    let entry = hidden(&alice.get(&path()), "token");
    let page = alice.type_code(&device.user_code);
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")));
    let token = hidden(&page, "token");
    let form = |code, token| [("user_code", code), ("token", token), ("decision", "allow")];
    let right = form(&device.user_code, &token);
    for (what, answer) in [
        ("no token", alice.post(&path(), &form(&device.user_code, ""))),
        ("the token of the form before", alice.post(&path(), &form(&device.user_code, &entry))),
        ("another code", alice.post(&path(), &form(&second.user_code, &token))),
        ("a wrong code", alice.post(&path(), &form("BBBB-BBBB", &token))),
        ("another login session", bob.post(&path(), &right)),
        ("nobody", Browser::new(&gateway).post(&path(), &right)),
        ("another site", alice.send(Request::form(&path(), &right).header("Origin", "https://evil.example"))),
        ("a code without its form", alice.post(&path(), &[("user_code", &device.user_code), ("token", &token)])),
        ("a code of another's form", bob.post(&path(), &[("user_code", &device.user_code), ("token", &entry)])),
    ] {
        assert_eq!(answer.status, 403, "{what}: {answer}");
        assert!(!answer.text().contains("Living room"), "{what}: {answer}");
    }
    assert_eq!(device.poll(&gateway, TV).error(), "authorization_pending");
    assert_eq!(alice.post(&path(), &right).status, 200);
    assert_eq!(alice.post(&path(), &right).status, 403, "once");
    assert_eq!(device.poll(&gateway, TV).status, 200);
}

#[test]
fn neither_code_stands_in_the_store() {
    let gateway = start();
    let device = Device::ask(&gateway, TV, &[]);
    for file in ["empress.db", "empress.db-wal"] {
        let Ok(bytes) = std::fs::read(gateway.folder().join(file)) else { continue };
        for code in [&device.code, &device.user_code, &device.user_code.replace('-', "")] {
            assert!(!bytes.windows(code.len()).any(|window| window == code.as_bytes()), "{file}: {code}");
        }
    }
}
