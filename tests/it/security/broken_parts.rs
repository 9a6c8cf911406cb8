//! ERPNext dies, the disk is full, the store is damaged: no wrong answer, and nothing is lost that was answered.

use std::{
    fs,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    standin::{ALICE, Failure},
    support::{Answer, Over, SHOP, Setup, TestGateway, Tokens, until},
};

/// T88
#[test]
fn while_erpnext_is_dead_requests_get_502_or_503_and_then_go_on() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let (answers, over) = (Mutex::new(Vec::<Answer>::new()), AtomicBool::new(false));
    let last = |statuses: &[u16]| {
        let answers = answers.lock().expect("no thread has failed");
        answers.last().is_some_and(|answer| statuses.contains(&answer.status)).then_some(())
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = gateway.whoami(&tokens.access);
                    answers.lock().expect("no thread has failed").push(answer);
                }
            });
        }
        let _ends = Over(&over);
        for _ in 0..3 {
            until("it answers", || last(&[200]));
            gateway.standin.fail(Failure::Refuse);
            until("it says that ERPNext is away", || last(&[502, 503]));
            gateway.standin.heal();
        }
        until("it answers again", || last(&[200]));
    });
    for answer in answers.into_inner().expect("no thread has failed") {
        match answer.status {
            200 => assert_eq!(answer.json()["message"], ALICE),
            502 | 503 => assert!(answer.header("retry-after").is_some(), "{answer}"),
            _ => panic!("{answer}"),
        }
    }
    Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
}

/// How large a file of the process may become; `None`: as large as the disk has room for.
fn limit_files(gateway: &TestGateway, bytes: Option<u64>) {
    let size = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let (pid, limit) = (gateway.pid().to_string(), format!("--fsize={size}:unlimited"));
    let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(set.expect("prlimit is there").success());
}

/// T89. A file that may not grow is to the store what a full disk is.
#[test]
fn with_a_full_disk_tokens_go_on_being_checked_and_issuing_answers_503_until_there_is_room() {
    let gateway = Setup::new().set("log.level", "info").set("log.access", false).files_may_be_limited().start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    limit_files(&gateway, Some(512 << 10));
    let refused = until("there is no room left", || {
        Some(gateway.refresh(SHOP, &tokens.refresh, &[])).filter(|answer| answer.status != 200)
    });
    assert_eq!(refused.status, 503, "{refused}");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["active"], true);
    assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 503, "what can't be kept is not said to be done");
    gateway.acts_as(&tokens.access, ALICE);
    limit_files(&gateway, None);
    until("it issues again", || (gateway.refresh(SHOP, &tokens.refresh, &[]).status == 200).then_some(()));
    assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 200);
    gateway.refuses("revoked", &tokens.access);
}

/// T89
#[test]
fn a_damaged_or_foreign_store_is_a_clear_error_at_the_start_and_stays_as_it_is() {
    let mut gateway = TestGateway::start();
    gateway.tokens(ALICE, SHOP, &[]);
    gateway.stop();
    let (file, config) = (gateway.folder().join("empress.db"), gateway.folder().join("gateway.toml"));
    let good = fs::read(&file).expect("the store");
    let mut damaged = good.clone();
    damaged[4096..12_288].fill(0x5a);
    for (bytes, part) in [(damaged, "damaged"), (vec![0x42; 8192], "database"), (good[..good.len() / 2].to_vec(), "")] {
        fs::write(&file, &bytes).expect("a file");
        let serve =
            Command::new(env!("CARGO_BIN_EXE_empress-gateway")).args(["serve", "--config"]).arg(&config).output();
        let ended = serve.expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("[store].path") && said.contains(part), "{said}");
        assert_eq!(fs::read(&file).expect("the store"), bytes, "{part}");
    }
    fs::write(&file, good).expect("a file");
    gateway.restart();
}
