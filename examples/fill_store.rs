//! Fills a store as so many code flows would: for each a code that was used, a grant, an access and a refresh token.
//!
//! `fill_store FILE KEYFILE COUNT [--expired] [--sample N FILE]`; the gateway may run on the file meanwhile. With
//! `--expired` all of it has ended already, and is there to be purged. Of the access tokens `N` are written to a file,
//! for `token_load`.
#![expect(clippy::print_stdout, reason = "it talks to whoever started it")]
#![expect(clippy::disallowed_methods, reason = "it measures, and what it writes must hold now")]

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use empress_gateway::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, Resources, Scopes, SiteId, Subject, TokenKind, TokenMint, UserName},
    random::{OsRandom, Random},
    store::{
        CodeRecord, EmbeddedStore, Grant, GrantUser, NewAccessToken, NewGrant, NewRefreshToken, Store, secret_key,
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

/// The site of a gateway that serves one.
const SITE: &str = "default";
/// So many flows are under way at once: more than the writer takes into one transaction.
const AT_ONCE: usize = 800;
const DAY: Duration = Duration::from_secs(86_400);
const ALICE: &str = "alice@example.com";
/// The rest is of so many users.
const USERS: usize = 10_000;

struct Filling {
    store: EmbeddedStore,
    mint: TokenMint,
    /// When the flows took place.
    then: UnixTime,
    /// How long their tokens live.
    life: Duration,
    /// So many are of the user whom the stand-in knows: those that are to be presented.
    known: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let (file, key, count, options) = match arguments.as_slice() {
        [file, key, count, options @ ..] => (file, key, count.parse::<usize>().context("COUNT")?, options),
        _ => bail!("usage: fill_store FILE KEYFILE COUNT [--expired] [--sample N FILE]"),
    };
    let expired = options.iter().any(|option| option == "--expired");
    let sample = match options.iter().position(|option| option == "--sample") {
        Some(at) => {
            let number = options.get(at + 1).context("--sample N FILE")?.parse::<usize>().context("N")?;
            Some((number, options.get(at + 2).context("--sample N FILE")?))
        }
        None => None,
    };
    let key = secret_key::load_or_make(Path::new(key))?;
    let now = UnixTime::from_millis(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?);
    let filling = Filling {
        store: EmbeddedStore::open(Path::new(file), SiteId::new(SITE), &key)?,
        mint: TokenMint::new(&key),
        then: if expired { now.minus(30 * DAY) } else { now },
        life: if expired { DAY } else { 30 * DAY },
        known: sample.as_ref().map_or(0, |(number, _)| *number),
    };
    let began = Instant::now();
    let kept = filling.known;
    let tokens: Vec<String> = stream::iter(0..count)
        .map(|number| filling.flow(number))
        .buffered(AT_ONCE)
        .try_fold((Vec::with_capacity(kept), 0), |(mut tokens, number), token| async move {
            if number < kept {
                tokens.push(token);
            }
            Ok((tokens, number + 1))
        })
        .await?
        .0;
    println!("{count} flows in {:.1} s", began.elapsed().as_secs_f64());
    if let Some((_, file)) = sample {
        fs::write(file, tokens.join("\n"))?;
    }
    Ok(())
}

impl Filling {
    /// One flow; its access token.
    async fn flow(&self, number: usize) -> anyhow::Result<String> {
        let [code, access, refresh] =
            [TokenKind::Code, TokenKind::Access, TokenKind::Refresh].map(|kind| self.mint.mint(kind, &OsRandom));
        let (issued_at, expires_at) = (self.then, self.then.plus(self.life));
        let record = self.code(number);
        let grant = grant_of(&record);
        let scopes = grant.scopes.clone();
        self.store.put_code(code.hash, record).await?;
        self.store.take_code(code.hash, issued_at).await?;
        let access_record = NewAccessToken {
            hash: access.hash,
            scopes,
            issued_at,
            expires_at,
            dpop_key: None,
            resources: Resources::default(),
        };
        let refresh = Some(NewRefreshToken { hash: refresh.hash, issued_at, expires_at });
        self.store
            .issue_grant(NewGrant { grant, access: access_record, refresh, from_code: Some(code.hash), in_login: None })
            .await?;
        Ok(access.text.expose().to_owned())
    }

    fn code(&self, number: usize) -> CodeRecord {
        // As the gateway's own ids are: a flow each half of a millisecond.
        let [_, _, time @ ..] = self.then.plus(Duration::from_micros(500 * number as u64)).millis().to_be_bytes();
        let random: &dyn Random = &OsRandom;
        let grant: Vec<u8> = time.into_iter().chain(random.bytes::<10>()).collect();
        let name = if number < self.known { ALICE.to_owned() } else { format!("user-{}@example.com", number % USERS) };
        CodeRecord {
            grant: GrantId::new(URL_SAFE_NO_PAD.encode(grant)),
            client: ClientId::new("bench"),
            user: GrantUser { sub: subject_of(&name), name: UserName::new(name) },
            redirect_uri: "https://bench.example/cb".to_owned(),
            redirect_uri_named: true,
            scopes: Scopes::parse("all openid").unwrap_or_default(),
            nonce: None,
            code_challenge: None,
            auth_time: Some(self.then),
            session_claim: Some(format!("{number:022}")),
            id_token_claims: Vec::new(),
            userinfo_claims: Vec::new(),
            dpop_key: None,
            resources: Resources::default(),
            login: None,
            issued_at: self.then,
            expires_at: self.then.plus(Duration::from_secs(60)),
        }
    }
}

/// The subject that the stand-in gives a user.
fn subject_of(name: &str) -> Subject {
    let digest = Sha256::digest(name.as_bytes());
    Subject::new(digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")).split_at(39).0)
}

fn grant_of(record: &CodeRecord) -> Grant {
    Grant {
        id: record.grant.clone(),
        client: record.client.clone(),
        user: record.user.clone(),
        scopes: record.scopes.clone(),
        created_at: record.issued_at,
        auth_time: record.auth_time,
        session_claim: record.session_claim.clone(),
        id_token_claims: Vec::new(),
        userinfo_claims: Vec::new(),
        dpop_key: None,
        resources: Resources::default(),
    }
}
