//! Which claims there are, and how a client asks for them.

use serde_json::{Map, Value};

use super::Walk;
use crate::{
    standin::ALICE,
    support::{Browser, IMPLICIT, SHOP, Tokens, claims},
};

/// Those of an id_token (OpenID Connect Core §2, §3.1.3.6, §3.3.2.11, the logout specifications) and of a user (§5.1), and ERPNext's.
pub const CLAIMS: [&str; 34] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
    "roles",
];

const EVERY_SCOPE: &str = "openid profile email phone address roles";

/// It is told of a user who has everything, by whoever may hear all.
pub fn claim(walk: &Walk, claim: &str) -> bool {
    walk.told.get_or_init(|| told(walk)).contains_key(claim)
}

fn told(walk: &Walk) -> Map<String, Value> {
    let everything = [("scope", EVERY_SCOPE), ("nonce", "n-1"), ("max_age", "1000")];
    let mut told = all_of(walk, &walk.gateway.tokens(ALICE, SHOP, &everything));
    if walk.has(IMPLICIT) {
        let hybrid = [("response_type", "code id_token"), ("nonce", "n-1")];
        let answer = Browser::of(&walk.gateway, ALICE).authorize(IMPLICIT, &hybrid);
        told.extend(claims(&answer.parameter("id_token").expect("an id_token")).as_object().expect("claims").clone());
    }
    told
}

fn all_of(walk: &Walk, tokens: &Tokens) -> Map<String, Value> {
    let mut told = claims(&tokens.id_token).as_object().expect("claims").clone();
    told.extend(walk.gateway.profile(&tokens.access).json().as_object().expect("claims").clone());
    told
}

/// Claims are told as values, or by naming where they are (§5.6.2).
pub fn claim_type(walk: &Walk, claim_type: &str) -> bool {
    let told = all_of(walk, &walk.gateway.tokens(ALICE, SHOP, &[("scope", EVERY_SCOPE)]));
    match claim_type {
        "normal" => told["name"].is_string(),
        _ => told.contains_key("_claim_sources"),
    }
}

/// `claims` opens what no scope has opened, where it asks and nowhere else.
pub fn parameter(walk: &Walk) -> bool {
    let asked = r#"{"userinfo":{"phone_number":null},"id_token":{"gender":null}}"#;
    let tokens = walk.gateway.tokens(ALICE, SHOP, &[("scope", "openid"), ("claims", asked)]);
    let (id_token, userinfo) = (claims(&tokens.id_token), walk.gateway.profile(&tokens.access).json());
    assert!(id_token.get("phone_number").is_none() && userinfo.get("gender").is_none(), "{id_token} {userinfo}");
    id_token["gender"].is_string() && userinfo["phone_number"].is_string()
}
