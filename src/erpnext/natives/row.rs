//! A row of Frappe's doctype *OAuth Bearer Token* that Frappe itself made.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::zone::moment;
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, Resources, Scopes, Subject, TokenHash, UserName},
    secret::Secret,
    store::{Grant, GrantUser, NativeRow, NativeState},
};

/// The fields that are asked for.
pub(super) const FIELDS: &str = r#"["name","access_token","refresh_token","client","user","scopes","status","expiration_time","expires_in","creation","modified"]"#;

/// What the ids of grants that ERPNext made begin with.
pub(super) const GRANT_PREFIX: &str = "native-";

/// ERPNext never ends a refresh token. Ours ends so long after it was read unless it is used, and after a use as any.
const REFRESH_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) name: Secret,
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    client: Option<ClientId>,
    pub(super) user: Option<UserName>,
    scopes: Option<String>,
    status: Option<String>,
    expiration_time: Option<String>,
    #[serde(default)]
    expires_in: u64,
    creation: Option<String>,
    #[serde(default)]
    pub(super) modified: String,
}

impl Row {
    /// The hash of the access token.
    pub(super) fn access(&self) -> Option<TokenHash> {
        self.access_token.as_ref().and_then(hash_of)
    }

    /// The row as the store takes it; `None` where ERPNext itself would refuse the token: no client, no scopes, no end.
    pub(super) fn to_native(&self, sub: Subject, zone: &TimeZone, now: UnixTime) -> Option<NativeRow> {
        let access = self.access()?;
        let created_at = moment(self.creation.as_deref()?, zone)?;
        let stated = self.expiration_time.as_deref().and_then(|text| moment(text, zone));
        let expires_at = stated.unwrap_or_else(|| created_at.plus(Duration::from_secs(self.expires_in)));
        let scopes = Scopes::parse(self.scopes.as_deref()?).ok().filter(|scopes| !scopes.is_empty())?;
        let grant = Grant {
            id: grant_id(&access),
            client: self.client.clone().filter(|client| !client.as_str().is_empty())?,
            user: GrantUser { name: self.user.clone()?, sub },
            scopes,
            created_at,
            auth_time: None,
            session_claim: None,
            id_token_claims: Vec::new(),
            userinfo_claims: Vec::new(),
            dpop_key: None,
            resources: Resources::default(),
        };
        Some(NativeRow {
            access,
            refresh: self.refresh_token.as_ref().and_then(hash_of),
            grant,
            expires_at,
            refresh_expires_at: now.plus(REFRESH_LIFE),
            edition: format!("{} {}", self.modified, expires_at.millis()),
            state: if self.status.as_deref() == Some("Active") { NativeState::Active } else { NativeState::Revoked },
        })
    }
}

/// Frappe 15 keeps the token, Frappe 16 its SHA-256 in hexadecimal: the same hash.
pub(super) fn hash_of(kept: &Secret) -> Option<TokenHash> {
    let text = kept.expose();
    if text.is_empty() {
        return None;
    }
    Some(from_hex(text).map_or_else(|| TokenHash::of(text), TokenHash::from_bytes))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The same for the same token whoever reads it, and nobody else's.
fn grant_id(access: &TokenHash) -> GrantId {
    let bytes = access.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
    GrantId::new(format!("{GRANT_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erpnext::hex::hex;

    fn row(more: &serde_json::Value) -> Row {
        // Transcript 20-token-code, as the list of its doctype shows it.
        let mut row = serde_json::json!({
            "name": "xYz30", "access_token": "xYz30", "refresh_token": "rEf30", "client": "s1p7u9lop3",
            "user": "alice@example.com", "scopes": "all openid", "status": "Active", "expires_in": 3600,
            "creation": "2026-11-24 01:30:00.000000", "modified": "2026-11-24 01:30:00.000000",
            "expiration_time": "2026-11-24 02:30:00.000000"
        });
        row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(row).expect("a row")
    }

    fn native(more: &serde_json::Value) -> Option<NativeRow> {
        let zone = TimeZone::get("Asia/Kolkata").expect("a zone");
        row(more).to_native(Subject::new("1"), &zone, UnixTime::from_secs(1_795_464_000))
    }

    #[test]
    fn a_row_is_a_grant_that_began_with_it() {
        let native = native(&serde_json::json!({})).expect("a grant");
        assert_eq!((native.access, native.refresh), (TokenHash::of("xYz30"), Some(TokenHash::of("rEf30"))));
        assert_eq!(native.grant.created_at.secs(), 1_795_464_000, "the row's time is the site's");
        assert_eq!(native.expires_at.secs(), 1_795_464_000 + 3600);
        assert_eq!(
            (native.grant.client.as_str(), native.grant.scopes.to_string().as_str()),
            ("s1p7u9lop3", "all openid")
        );
        assert_eq!(native.state, NativeState::Active);
        assert!(!native.grant.id.as_str().contains("xYz30"));
    }

    #[test]
    fn a_row_that_keeps_hashes_gives_the_same_ones() {
        use sha2::{Digest, Sha256};
        let hashed = native(&serde_json::json!({
            "access_token": hex(Sha256::digest("xYz30")), "refresh_token": hex(Sha256::digest("rEf30"))
        }));
        let (hashed, plain) = (hashed.expect("a grant"), native(&serde_json::json!({})).expect("a grant"));
        assert_eq!((hashed.access, hashed.refresh), (plain.access, plain.refresh));
        assert_eq!(hashed.grant.id, plain.grant.id);
    }

    #[test]
    fn what_erpnext_refuses_is_no_grant() {
        for lacks in ["client", "scopes", "user", "access_token", "creation"] {
            assert!(native(&serde_json::json!({ lacks: null })).is_none(), "{lacks}");
        }
        assert!(native(&serde_json::json!({ "scopes": " " })).is_none());
        let revoked = native(&serde_json::json!({ "status": "Revoked" })).expect("a row");
        assert_eq!(revoked.state, NativeState::Revoked);
    }
}
