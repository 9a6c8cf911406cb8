//! What only the file has, beside the contract: reopening, other keys, damage, two handles, what stands in it.

use std::{
    fs,
    future::{Ready, ready},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::UnixTime,
    oauth::{GrantId, KeyId, SigningAlgorithm, Subject, TokenHash, UserName},
    secret::Secret,
    store::{
        KeySuccession, RevocationSeq, ShadowToken, Store, StoredSigningKey,
        contract::{Place, store_contract},
    },
};

mod contract {
    use super::*;

    fn fresh() -> Ready<(Arc<dyn Store>, TempDir)> {
        let (place, path) = place();
        ready((Arc::new(open_at(&path)), place))
    }

    impl Place for TempDir {
        fn open(&self) -> impl Future<Output = Arc<dyn Store>> + Send {
            ready(Arc::new(open_at(&self.path().join("empress.db"))) as Arc<dyn Store>)
        }
    }

    store_contract!(fresh);
}

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("empress.db");
    (directory, path)
}

fn try_open(path: &Path) -> StoreResult<EmbeddedStore> {
    EmbeddedStore::open(path, SiteId::new("site"), &SecretKey::new([1; 32]))
}

fn open_at(path: &Path) -> EmbeddedStore {
    try_open(path).expect("opened")
}

fn refusal(path: &Path) -> String {
    match try_open(path) {
        Err(StoreError::Corrupt(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn shadow(text: &str) -> ShadowToken {
    let expires_at = UnixTime::from_secs(1_900_000_000);
    ShadowToken { token: Secret::new(text), sub: Subject::new("1"), created_at: NOW, expires_at }
}

fn key(text: &str) -> StoredSigningKey {
    StoredSigningKey {
        id: KeyId::new("key"),
        algorithm: SigningAlgorithm::Rs256,
        private_key: Secret::new(text),
        public_jwk: "{}".to_owned(),
        created_at: NOW,
        signs_from: NOW,
        retired_at: None,
        published_until: None,
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let (_place, path) = place();
    let alice = UserName::new("alice");
    let store = open_at(&path);
    store.put_shadow_token(&alice, shadow("emp_sh_1")).await.expect("put");
    store.put_login(TokenHash::of("login"), NOW, shadow("").expires_at).await.expect("put");
    store.put_signing_key(key("private")).await.expect("put");
    drop(store);
    let store = open_at(&path);
    assert_eq!(store.shadow_token(&alice, NOW).await.expect("an answer"), Some(shadow("emp_sh_1")));
    assert_eq!(store.login(TokenHash::of("login"), NOW).await.expect("an answer"), Some(NOW));
    assert_eq!(store.signing_keys().await.expect("keys"), [key("private")]);
}

#[test]
fn the_file_is_its_owners_alone() {
    let (place, path) = place();
    let _store = open_at(&path);
    for entry in fs::read_dir(place.path()).expect("a directory") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.metadata().expect("metadata").permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[test]
fn another_secret_key_is_refused_with_what_to_do() {
    let (_place, path) = place();
    drop(open_at(&path));
    let refused = EmbeddedStore::open(&path, SiteId::new("site"), &SecretKey::new([2; 32]));
    assert!(matches!(refused, Err(StoreError::Corrupt(why)) if why.contains("secret_key_file")));
    open_at(&path);
}

#[tokio::test]
async fn what_must_be_sent_on_stands_nowhere_in_clear() {
    let (place, path) = place();
    let store = open_at(&path);
    store.put_shadow_token(&UserName::new("alice"), shadow("MARKER-of-a-shadow-token")).await.expect("put");
    store.put_signing_key(key("MARKER-of-a-private-key")).await.expect("put");
    store
        .put_signing_key(StoredSigningKey { algorithm: SigningAlgorithm::EdDsa, id: KeyId::new("visible"), ..key("") })
        .await
        .expect("put");
    let bytes = || -> Vec<u8> {
        let files = fs::read_dir(place.path()).expect("a directory").map(|entry| entry.expect("an entry").path());
        files.flat_map(|file| fs::read(file).expect("read")).collect()
    };
    let contains = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let while_open = bytes();
    drop(store);
    for bytes in [while_open, bytes()] {
        assert!(contains(&bytes, "visible"), "the rows are in these files");
        assert!(!contains(&bytes, "MARKER"));
    }
}

#[test]
fn keys_that_are_there_already_have_signed_since_they_were_made() {
    let connection = Connection::open_in_memory().expect("opened");
    connection.execute_batch(include_str!("migrations/0001_first.sql")).expect("the first schema");
    let insert = "INSERT INTO signing_keys (site, id, algorithm, sealed, public_jwk, created_at, retired_at)
                  VALUES ('site', 'old', 'RS256', x'00', '{}', 5, 7), ('site', 'new', 'RS256', x'00', '{}', 7, NULL)";
    connection.execute(insert, []).expect("inserted");
    connection.execute_batch(include_str!("migrations/0005_keys.sql")).expect("migrated");
    let mut query = connection
        .prepare("SELECT id, signs_from, retired_at, published_until FROM signing_keys ORDER BY created_at")
        .expect("a query");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).expect("rows");
    let rows: Vec<(String, i64, Option<i64>, Option<i64>)> = rows.collect::<Result<_, _>>().expect("rows");
    assert_eq!(rows, [("old".to_owned(), 5, Some(7), None), ("new".to_owned(), 7, None, None)]);
}

#[tokio::test]
async fn a_step_of_the_signing_keys_that_fails_half_way_changes_nothing() {
    let (_place, path) = place();
    let store = open_at(&path);
    store.put_signing_key(key("private")).await.expect("put");
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON signing_keys BEGIN SELECT RAISE(ABORT, 'full'); END";
    Connection::open(&path).expect("opened").execute_batch(trigger).expect("a trigger");
    let next = StoredSigningKey { id: KeyId::new("next"), signs_from: NOW.plus(Duration::from_secs(9)), ..key("next") };
    let step = KeySuccession { of: KeyId::new("key"), published_until: NOW, next: next.clone() };
    assert!(store.succeed_signing_key(step.clone()).await.is_err());
    assert_eq!(store.signing_keys().await.expect("keys"), [key("private")]);
    assert!(store.replace_signing_keys(vec![next]).await.is_err());
    assert_eq!(store.signing_keys().await.expect("keys"), [key("private")]);
    Connection::open(&path).expect("opened").execute_batch("DROP TRIGGER full").expect("dropped");
    store.succeed_signing_key(step).await.expect("followed");
    assert_eq!(store.signing_keys().await.expect("keys").len(), 2);
}

#[tokio::test]
async fn a_sealed_value_moved_to_another_row_does_not_open() {
    let (_place, path) = place();
    let store = open_at(&path);
    store.put_shadow_token(&UserName::new("mallory"), shadow("of mallory")).await.expect("put");
    store.put_shadow_token(&UserName::new("alice"), shadow("of alice")).await.expect("put");
    let swapped = "UPDATE shadow_tokens SET sealed = (SELECT sealed FROM shadow_tokens WHERE user_name = 'alice')";
    Connection::open(&path).expect("opened").execute(swapped, []).expect("moved");
    let moved = store.shadow_token(&UserName::new("mallory"), NOW).await;
    assert!(matches!(moved, Err(StoreError::Corrupt(_))), "{moved:?}");
    assert!(store.shadow_token(&UserName::new("alice"), NOW).await.is_ok());
}

#[tokio::test]
async fn two_handles_on_one_file_see_each_others_revocations() {
    let (_place, path) = place();
    let (one, two) = (open_at(&path), open_at(&path));
    let connection = Connection::open(&path).expect("opened");
    let insert =
        "INSERT INTO grants (site, id, client, user_name, sub, scopes, created_at, id_token_claims, lasts_until)
                  VALUES ('site', 'g', 'client', 'alice', '1', 'all', 0, '[]', 0)";
    connection.execute(insert, []).expect("inserted");
    let seen = two.last_revocation().await.expect("the end");
    assert!(one.revoke_grant(&GrantId::new("g"), NOW).await.expect("revoked"));
    let news = two.revocations_after(seen).await.expect("the feed");
    assert_eq!(news.iter().map(|news| news.grant.as_str()).collect::<Vec<_>>(), ["g"]);
    assert!(!two.revoke_grant(&GrantId::new("g"), NOW).await.expect("an answer"));
    assert!(two.last_revocation().await.expect("the end") > RevocationSeq::default());
}

#[tokio::test]
async fn sites_in_one_file_do_not_see_each_other() {
    let (_place, path) = place();
    let one = open_at(&path);
    let two = EmbeddedStore::open(&path, SiteId::new("other"), &SecretKey::new([2; 32])).expect("a key of its own");
    one.put_shadow_token(&UserName::new("alice"), shadow("emp_sh_1")).await.expect("put");
    assert_eq!(two.shadow_token(&UserName::new("alice"), NOW).await.expect("an answer"), None);
}

#[test]
fn processes_that_start_together_all_open_a_new_file() {
    for _ in 0..5 {
        let (_place, path) = place();
        thread::scope(|scope| {
            let starts: Vec<_> = (0..6).map(|_| scope.spawn(|| try_open(&path).map(|_| ()))).collect();
            for start in starts {
                start.join().expect("no panic").expect("opened");
            }
        });
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_stays() {
    let (_place, path) = place();
    let junk = "not a database at all, but long enough for a header ".repeat(100);
    fs::write(&path, &junk).expect("written");
    assert!(refusal(&path).contains("not a database"));
    assert_eq!(fs::read_to_string(&path).expect("still there"), junk);
}

#[test]
fn the_database_of_another_program_is_refused_and_stays() {
    let (_place, path) = place();
    Connection::open(&path).expect("made").execute_batch("CREATE TABLE theirs (x)").expect("a table");
    let before = fs::read(&path).expect("read");
    assert!(refusal(&path).contains("another program"));
    assert_eq!(fs::read(&path).expect("still there"), before);
}

#[test]
fn a_newer_schema_is_refused_with_what_to_do() {
    let (_place, path) = place();
    drop(open_at(&path));
    Connection::open(&path).expect("opened").pragma_update(None, "user_version", 99).expect("set");
    assert!(refusal(&path).contains("newer program"));
}

#[test]
fn a_missing_table_is_damage() {
    let (_place, path) = place();
    drop(open_at(&path));
    Connection::open(&path).expect("opened").execute_batch("DROP TABLE consents").expect("dropped");
    assert!(refusal(&path).contains("consents"));
}

#[test]
fn overwritten_pages_are_damage_and_stay() {
    let (_place, path) = place();
    drop(open_at(&path));
    let mut bytes = fs::read(&path).expect("read");
    let end = bytes.len();
    bytes[4096 * 3..end].fill(0x5a);
    fs::write(&path, &bytes).expect("written");
    assert!(refusal(&path).contains("backup"));
    assert_eq!(fs::read(&path).expect("still there"), bytes);
}

/// A file with some rows, all of whose pages behind the schema's are overwritten but for these: they can still be opened.
fn damage_rows(path: &Path) {
    let root: u32 = {
        let connection = Connection::open(path).expect("opened");
        let insert = "INSERT INTO logins (site, login, at, expires_at) VALUES ('site', randomblob(32), 0, 0)";
        for _ in 0..200 {
            connection.execute(insert, []).expect("inserted");
        }
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'logins'";
        connection.query_row(root, [], |row| row.get(0)).expect("a page")
    };
    let mut bytes = fs::read(path).expect("read");
    let start = 4096 * (root as usize - 1);
    bytes[start..start + 4096].fill(0x5a);
    fs::write(path, &bytes).expect("written");
}

#[tokio::test]
async fn damage_in_a_large_file_is_found_while_it_is_used_and_ends_all_writing() {
    let (_place, path) = place();
    drop(open_at(&path));
    damage_rows(&path);
    assert!(refusal(&path).contains("backup"), "a small one is refused at once");
    let store = open(&path, SiteId::new("site"), &SecretKey::new([1; 32]), 0).expect("opened");
    let alice = UserName::new("alice");
    let mut found = None;
    while found.is_none() {
        tokio::task::yield_now().await;
        found = store.put_shadow_token(&alice, shadow("emp_sh_1")).await.err();
    }
    assert!(matches!(&found, Some(StoreError::Unavailable(why)) if why.contains("backup")), "{found:?}");
    assert!(store.ready().await.is_err());
    assert!(store.shadow_token(&alice, NOW).await.is_ok(), "what is sound is read");
}

#[test]
fn a_check_that_runs_does_not_hold_up_the_end() {
    let (_place, path) = place();
    drop(open_at(&path));
    for _ in 0..20 {
        drop(open(&path, SiteId::new("site"), &SecretKey::new([1; 32]), 0).expect("opened"));
    }
}

#[test]
fn a_missing_directory_is_unavailable() {
    let (place, _) = place();
    let opened = try_open(&place.path().join("missing").join("empress.db"));
    assert!(matches!(opened, Err(StoreError::Unavailable(why)) if why.contains("missing")));
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_reading_goes_on() {
    let (_place, path) = place();
    let store = open_at(&path);
    let alice = UserName::new("alice");
    store.put_shadow_token(&alice, shadow("emp_sh_1")).await.expect("put");
    let full = |rows: &Rows<'_>| rows.one("PRAGMA max_page_count = 1", [], |_| Ok(()));
    store.writer.write(full).await.expect("limited");
    let mut refused = 0;
    for number in 0..200 {
        let user = UserName::new(format!("{number} {}", "x".repeat(1000)));
        refused += match store.put_shadow_token(&user, shadow("emp_sh_2")).await {
            Ok(()) => 0,
            Err(StoreError::Unavailable(_)) => 1,
            Err(other) => panic!("{other}"),
        };
    }
    assert!(refused > 100, "{refused}");
    assert_eq!(store.shadow_token(&alice, NOW).await.expect("an answer"), Some(shadow("emp_sh_1")));
}
