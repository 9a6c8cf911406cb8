//! Everything at once, for as long as one likes: nothing leaks, nothing fails. `scripts/soak.sh` runs it for longer.

use std::{
    fs, io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    standin::{ALICE, BOB},
    support::{METHOD, Over, Request, SHOP, Setup, TestGateway, pause},
};

/// How long, in seconds, if nobody says otherwise.
const SECONDS: u64 = 20;
const THREADS: usize = 4;
/// Memory that caches and the allocator may still take after the first quarter of the time.
const GROWTH: u64 = 24 << 20;
/// Descriptors that may be open more than before: connections that are kept.
const DESCRIPTORS: u64 = 80;

/// Threads that may have been added for calls that block; idle ones end after a while.
const BLOCKING: u64 = 16;

fn seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "whoever runs a test by name says so how long")]
    let said = std::env::var("SOAK_SECONDS").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(SECONDS)
}

/// Its open descriptors and its threads, as far as anybody may know.
fn counts(gateway: &TestGateway) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).expect("its process");
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("its threads");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let descriptors = gateway.metric("empress_process_open_fds") as u64;
    (descriptors, threads.trim().parse().expect("a number"))
}

/// The life of some tokens, with what peers do wrong on the way.
fn live(gateway: &TestGateway, user: &str) -> io::Result<()> {
    let tokens = gateway.tokens(user, SHOP, &[]);
    for _ in 0..20 {
        gateway.acts_as(&tokens.access, user);
    }
    gateway.refuses("junk", "emp_at_junk");
    let mut gone = gateway.connect();
    gone.write(format!("POST /api/method/upload_file HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100000\r\n\r\nhalf", tokens.access).as_bytes())?;
    drop(gone);
    gateway.raw(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    let cmd = format!("/?cmd={}get_token", &METHOD["/api/method/".len()..]);
    assert_eq!(gateway.get(&cmd).status, 403);
    let mut refresh = tokens.refresh;
    for _ in 0..5 {
        let answer = gateway.refresh(SHOP, &refresh, &[]);
        assert_eq!(answer.status, 200, "{answer}");
        refresh = answer.member("refresh_token");
        gateway.acts_as(&answer.member("access_token"), user);
    }
    assert_eq!(gateway.refresh(SHOP.with_secret("wrong"), &refresh, &[]).status, 401);
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["active"], true);
    let list = Request::get("/api/resource/Role").bearer(&tokens.access);
    assert_eq!(gateway.send(&list).status, 200);
    assert_eq!(gateway.revoke(SHOP, &refresh).status, 200);
    gateway.refuses("revoked", &tokens.access);
    Ok(())
}

#[test]
fn under_a_mixed_load_nothing_fails_and_neither_memory_descriptors_nor_threads_grow() {
    let gateway = Setup::new().set("log.level", "info").set("log.access", false).start();
    gateway.standin.set_recording(false);
    for _ in 0..3 {
        live(&gateway, ALICE).expect("it reads");
    }
    let (descriptors, threads) = counts(&gateway);
    let (over, lives) = (AtomicBool::new(false), AtomicU64::new(0));
    let length = Duration::from_secs(seconds());
    let began = Instant::now();
    let (early, late) = thread::scope(|scope| {
        for number in 0..THREADS {
            let (gateway, over, lives) = (&gateway, &over, &lives);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    live(gateway, [ALICE, BOB][number % 2]).expect("it reads");
                    lives.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let ends = Over(&over);
        pause(length / 4);
        let early = gateway.resident();
        pause(length.saturating_sub(began.elapsed()));
        let late = gateway.resident();
        drop(ends);
        (early, late)
    });
    let lives = lives.into_inner();
    let grown = late.saturating_sub(early);
    #[expect(clippy::print_stdout, reason = "whoever soaks it for a day wants the figures")]
    {
        println!("{lives} lives in {length:?}; {} MiB, and {} MiB more at the end", early >> 20, grown >> 20);
    }
    assert!(lives > 0);
    assert!(grown < GROWTH, "{} MiB more after {lives} lives", grown >> 20);
    let (open, running) = counts(&gateway);
    assert!(open <= descriptors + DESCRIPTORS, "{descriptors} descriptors before, {open} after {lives} lives");
    assert!(running <= threads + BLOCKING, "{threads} threads before, {running} after {lives} lives");
}
