//! Shadow tokens: rows of Frappe's doctype *OAuth Bearer Token* that make it take our requests for the user's. As good
//! as the user's password, so never in a URL, a log or an error.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    DirectoryError,
    agent::{Agent, As, Call},
    answer::Message,
    hex::hex,
    own_client::{OwnClient, SHADOW_SCOPES},
};
use crate::{
    clock::UnixTime,
    oauth::{SHADOW_PREFIX, UserName},
    random::Random,
    secret::Secret,
    store::{GrantUser, ShadowToken},
};

const DOCTYPE: &str = "OAuth Bearer Token";
/// 64 characters in all.
const RANDOM_CHARS: usize = 57;
/// ERPNext compares without regard to letter case, so there is only one case.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The text of a fresh shadow token: 57 of 36 letters are 294 bits.
pub(super) fn fresh_text(random: &dyn Random) -> Secret {
    let mut text = String::with_capacity(SHADOW_PREFIX.len() + RANDOM_CHARS);
    text.push_str(SHADOW_PREFIX);
    while text.len() < SHADOW_PREFIX.len() + RANDOM_CHARS {
        let missing = SHADOW_PREFIX.len() + RANDOM_CHARS - text.len();
        // 252 is the last multiple of 36: a greater byte would favour some letters.
        let bytes = random.bytes::<RANDOM_CHARS>().into_iter().filter(|byte| *byte < 252).take(missing);
        text.extend(bytes.filter_map(|byte| ALPHABET.get(usize::from(byte % 36))).map(|letter| char::from(*letter)));
    }
    Secret::new(text)
}

/// From when on a shadow token should be replaced, and until when it may be used: in its last tenth, and not in its last
/// moments, which may be over by ERPNext's clock.
pub(super) fn renew_and_end(token: &ShadowToken) -> (UnixTime, UnixTime) {
    let life = token.expires_at.since(token.created_at);
    (token.expires_at.minus(life / 10), token.expires_at.minus((life / 20).min(Duration::from_secs(60))))
}

/// Makes ERPNext accept `token` as the user's for so long.
pub(super) async fn create(
    agent: &Agent,
    own_client: &OwnClient,
    user: &GrantUser,
    token: &Secret,
    ttl: Duration,
) -> Result<(), DirectoryError> {
    let row = json!({
        "access_token": token.expose(),
        "client": own_client.id(agent).await?,
        "user": user.name,
        "scopes": SHADOW_SCOPES,
        // ERPNext adds it to the row's creation, both in the site's own time zone.
        "expires_in": ttl.as_secs(),
        "status": "Active",
    });
    let call = Call::post("make shadow token", &["api", "resource", DOCTYPE], row);
    let answer = agent.send(call).await?;
    if answer.status() == StatusCode::EXPECTATION_FAILED {
        // A link is broken; the user was just looked at, so it is the client that is gone.
        own_client.forget();
    }
    let needs = "create on OAuth Bearer Token";
    answer
        .for_account(needs)?
        .map(|_| ())
        .ok_or_else(|| DirectoryError::Unavailable("make shadow token: 404".to_owned()))
}

#[derive(Deserialize)]
struct Who {
    user: Option<String>,
}

/// Whether ERPNext takes the credential for this user's.
pub(super) async fn is_alive(agent: &Agent, user: &UserName, credential: &HeaderValue) -> Result<bool, DirectoryError> {
    let path = ["api", "method", "frappe.realtime.get_user_info"];
    let answer = agent.send(Call::get("probe token", &path, As::Bearer(credential))).await?.for_user()?;
    let who = answer.map(|answer| answer.read::<Message<Who>>()).transpose()?;
    Ok(who.is_some_and(|who| who.message.user.as_deref() == Some(user.as_str())))
}

#[derive(Deserialize)]
struct Row {
    name: String,
}

/// Makes ERPNext forget a token. Up to version 15 the row's name is the token; later the row holds the token's SHA-256
/// under a name of its own.
pub(super) async fn delete(agent: &Agent, token: &Secret) -> Result<(), DirectoryError> {
    if delete_row(agent, token.expose()).await? {
        return Ok(());
    }
    let filters = json!({ "access_token": hex(Sha256::digest(token.expose())) });
    let payload = json!({ "doctype": DOCTYPE, "filters": filters, "fields": ["name"] });
    let call = Call::post("find shadow token", &["api", "method", "frappe.client.get_list"], payload);
    let answer = agent.send(call).await?.for_account("read on OAuth Bearer Token")?;
    let rows = answer.map(|answer| answer.read::<Message<Vec<Row>>>()).transpose()?;
    for row in rows.into_iter().flat_map(|rows| rows.message) {
        delete_row(agent, &row.name).await?;
    }
    Ok(())
}

/// `false`: there is no such row.
pub(super) async fn delete_row(agent: &Agent, name: &str) -> Result<bool, DirectoryError> {
    let payload: Value = json!({ "doctype": DOCTYPE, "name": name });
    let call = Call::post("delete token", &["api", "method", "frappe.client.delete"], payload);
    Ok(agent.send(call).await?.for_account("delete on OAuth Bearer Token")?.is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{oauth::Subject, random::SeededRandom};

    #[test]
    fn a_fresh_text_has_sixty_four_letters_of_one_case() {
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let (one, two) = (fresh_text(&*random), fresh_text(&*random));
        assert_ne!(one, two);
        let rest = one.expose().strip_prefix(SHADOW_PREFIX).expect("the prefix");
        assert_eq!(rest.len(), 57);
        assert!(rest.bytes().all(|byte| ALPHABET.contains(&byte)), "{rest}");
    }

    #[test]
    fn it_is_replaced_in_its_last_tenth_and_unused_in_its_last_minute() {
        let day = 86_400;
        let (created_at, expires_at) = (UnixTime::from_secs(0), UnixTime::from_secs(30 * day));
        let token = ShadowToken { token: Secret::new("t"), sub: Subject::new("1"), created_at, expires_at };
        assert_eq!(renew_and_end(&token), (UnixTime::from_secs(27 * day), UnixTime::from_secs(30 * day - 60)));
    }
}
