//! T83: `kill -9` in the middle of issuing and revoking. What was answered before holds afterwards.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    standin::ALICE,
    support::{
        APP, Browser, Client, Connection, Request, SERVICE, SHOP, Setup, TestGateway, Tokens, client_request,
        exchange_request, pause, until,
    },
};

const ROUNDS: usize = 5;
const CODES: usize = 40;

/// What was answered 200 before the power went.
#[derive(Default)]
struct Answered {
    active: Vec<String>,
    revoked: Vec<String>,
    redeemed: Vec<String>,
    refreshed: Vec<(String, String)>,
}

/// A connection that is opened once and given up with the server.
struct Worker<'t> {
    connection: Connection,
    answered: &'t Mutex<Answered>,
    stop: &'t AtomicBool,
}

impl Worker<'_> {
    /// The JSON of a 200; an error once the gateway is gone.
    fn ask(&mut self, request: &Request) -> io::Result<Value> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let answer = self.connection.send(request)?;
        assert_eq!(answer.status, 200, "{answer}");
        Ok(answer.json())
    }

    fn note(&self, change: impl FnOnce(&mut Answered)) {
        change(&mut self.answered.lock().expect("no thread has failed"));
    }

    /// Redeems codes.
    fn redeem(mut self, client: Client, codes: Vec<String>) -> io::Result<()> {
        for code in codes {
            let body = self.ask(&exchange_request(client, &code, &[]))?;
            let access = text(&body, "access_token");
            self.note(|answered| {
                answered.redeemed.push(code);
                answered.active.push(access);
            });
        }
        Ok(())
    }

    /// Issues tokens, and revokes every second one.
    fn issue_and_revoke(mut self) -> io::Result<()> {
        for turn in 0.. {
            let form = [("grant_type", "client_credentials")];
            let access = text(&self.ask(&client_request(SERVICE, "get_token", &form))?, "access_token");
            if turn % 2 == 0 {
                self.note(|answered| answered.active.push(access));
                continue;
            }
            let form = [("token", access.as_str())];
            self.ask(&client_request(SERVICE, "revoke_token", &form))?;
            self.note(|answered| answered.revoked.push(access));
        }
        Ok(())
    }

    /// Rotates a refresh token again and again.
    fn rotate(mut self, mut refresh: String) -> io::Result<()> {
        loop {
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
            let body = self.ask(&client_request(APP, "get_token", &form))?;
            let next = text(&body, "refresh_token");
            let access = text(&body, "access_token");
            self.note(|answered| {
                answered.active.push(access);
                answered.refreshed.push((refresh, next.clone()));
            });
            refresh = next;
        }
    }
}

fn text(body: &Value, member: &str) -> String {
    body[member].as_str().unwrap_or_else(|| panic!("no {member}")).to_owned()
}

/// T83, T88
#[test]
fn what_was_answered_before_a_kill_9_holds_afterwards() {
    let mut gateway = Setup::new().set("tokens.refresh_grace", "5m").set("tokens.code_ttl", "10m").start();
    let mut kept = Answered::default();
    for round in 0..ROUNDS {
        let answered = run_and_kill(&mut gateway, round);
        gateway.restart();
        check(&gateway, &answered);
        kept.active.extend(answered.active.into_iter().take(20));
        kept.revoked.extend(answered.revoked.into_iter().take(20));
    }
    // Also what was answered rounds ago, but for the grants that the checks have ended.
    for token in &kept.revoked {
        assert_eq!(gateway.introspect(SERVICE, token)["active"], false, "resurrected");
    }
}

/// Cuts the power when it is dropped: a scope waits for its threads also after a panic.
struct Power<'t> {
    gateway: &'t mut TestGateway,
    stop: &'t AtomicBool,
}

impl Drop for Power<'_> {
    fn drop(&mut self) {
        self.gateway.kill_9();
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Some threads at work until the process is killed under them.
fn run_and_kill(gateway: &mut TestGateway, round: usize) -> Answered {
    let (answered, stop) = (Mutex::new(Answered::default()), AtomicBool::new(false));
    let codes: Vec<String> = {
        let mut browser = Browser::of(gateway, ALICE);
        (0..CODES).map(|_| browser.code(SHOP, &[])).collect()
    };
    let first = gateway.tokens(ALICE, APP, &[]);
    let port = gateway.port();
    thread::scope(|scope| {
        let power = Power { gateway, stop: &stop };
        let worker =
            || Worker { connection: Connection::open(port).expect("it listens"), answered: &answered, stop: &stop };
        let (redeemer, rotator) = (worker(), worker());
        scope.spawn(move || redeemer.redeem(SHOP, codes));
        scope.spawn(move || rotator.rotate(first.refresh));
        for worker in [worker(), worker(), worker()] {
            scope.spawn(move || worker.issue_and_revoke());
        }
        until("all of them have done something", || {
            let answered = answered.lock().expect("no thread has failed");
            let done =
                [answered.active.len(), answered.revoked.len(), answered.redeemed.len(), answered.refreshed.len()];
            done.into_iter().all(|count| count > 3).then_some(())
        });
        // Another moment of their work each time.
        pause(Duration::from_millis(7 * u64::try_from(round).expect("few")));
        drop(power);
    });
    answered.into_inner().expect("no thread has failed")
}

fn check(gateway: &TestGateway, answered: &Answered) {
    for token in &answered.active {
        let told = gateway.introspect(SHOP, token);
        assert_eq!(told["active"], true, "a token that was given out is lost");
    }
    let request = Request::get("/api/method/frappe.auth.get_logged_user");
    for token in &answered.revoked {
        assert_eq!(gateway.introspect(SHOP, token)["active"], false, "a revoked token lives");
        assert_eq!(gateway.send(&request.clone().bearer(token)).status, 401, "a revoked token is let through");
    }
    // The last refresh token that was given out works, also where a refresh with it was done and its answer was lost.
    if let Some((_, last)) = answered.refreshed.last() {
        let next = Tokens::of(&gateway.refresh(APP, last, &[]));
        assert_eq!(Tokens::of(&gateway.refresh(APP, last, &[])).refresh, next.refresh);
        gateway.acts_as(&next.access, ALICE);
    }
    // A code that was redeemed is not redeemed again, and the second try ends its grant.
    for code in &answered.redeemed {
        assert_eq!(gateway.exchange(SHOP, code, &[]).error(), "invalid_grant", "redeemed twice");
    }
}
