//! The introspection endpoint (RFC 7662).

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, Request, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::{Map, Value};

use super::{
    Endpoints, Peer,
    client_auth::PresentedClient,
    cors::AnswerOf,
    form,
    limits::Counted,
    media_type,
    parameters::Parameters,
    refuse_query,
    respond::{Answer, OAuthError, json, no_store, set},
};
use crate::{
    issuer::{IssueError, PresentedToken},
    oauth::{Allowance, Client, ErrorCode, OpenedClaims, Scope},
    store::{AccessTokenFacts, Grant, RefreshTokenFacts},
};

/// The media type of a signed answer (RFC 9701 §4).
const JWT: &str = "application/token-introspection+jwt";

impl Endpoints {
    pub(super) async fn introspect(&self, request: Request<Bytes>, peer: Peer) -> Result<Answer, OAuthError> {
        let is_json = media_type(request.headers()) == Some("application/json");
        let form = if is_json { json_parameters(&request)? } else { form(&request)? };
        let presented = PresentedClient::of(request.headers(), &form)?;
        let caller = self.introspection_caller(&presented, peer).await?;
        let token = form.get("token").ok_or_else(|| OAuthError::invalid_request("the parameter token is missing"))?;
        let (claims, owner) = match self.introspectable(token, &form, caller.as_deref(), is_json).await? {
            Some((presented, client)) => (self.active_claims(&presented, &client).await?, Some(client)),
            None => (None, None),
        };
        if claims.is_none() && caller.is_none() {
            self.limits.introspection_misses.count(Counted::address(peer.address), self.issuer.clock.now());
        }
        let body = claims.unwrap_or_else(|| Map::from_iter([("active".to_owned(), Value::Bool(false))]));
        // Without an authenticated caller a JWT would have no audience (RFC 9701 §4).
        let mut answer = match caller.as_deref().filter(|_| accepts_jwt(request.headers())) {
            Some(caller) => signed(self.issuer.signed_introspection(caller.id.as_str(), body).await?),
            None => json(StatusCode::OK, &body),
        };
        no_store(&mut answer);
        if let Some(client) = caller.or(owner) {
            answer.extensions_mut().insert(AnswerOf(client));
        }
        Ok(answer)
    }

    /// Who calls: only an authenticated client is one, `none` is no authentication (decision 26).
    async fn introspection_caller(
        &self,
        presented: &PresentedClient,
        peer: Peer,
    ) -> Result<Option<Arc<Client>>, OAuthError> {
        let caller = self.caller(presented, peer).await?.filter(|client| !client.is_public());
        if caller.is_none() {
            if self.settings.introspection_needs_client {
                return Err(OAuthError::new(
                    ErrorCode::InvalidClient,
                    "introspection needs client authentication here",
                ));
            }
            let limit = &self.limits.introspection_misses;
            let checked = limit.check(&Counted::address(peer.address), self.issuer.clock.now());
            checked.map_err(OAuthError::too_many)?;
        }
        Ok(caller)
    }

    /// The active token and its client, if this caller may hear of it.
    async fn introspectable(
        &self,
        token: &str,
        form: &Parameters,
        caller: Option<&Client>,
        is_json: bool,
    ) -> Result<Option<(PresentedToken, Arc<Client>)>, OAuthError> {
        let Some(presented) = self.issuer.presented_token(token).await? else { return Ok(None) };
        let Some(client) = self.clients.client(presented.client()).await? else { return Ok(None) };
        // Whoever registered itself is nobody that the operator knows: it hears of its own tokens, like anybody else's of none.
        if caller.is_some_and(|caller| caller.source.is_anybodys() && caller.id != client.id) {
            return Ok(None);
        }
        // Without a caller every refusal looks like "not active": else it would tell that the token is.
        if is_json && !client.allows(Allowance::JsonIntrospection) {
            return caller.map_or(Ok(None), |_| Err(super::wrong_content_type()));
        }
        if caller.is_none() {
            let hinted = form.get("token_type_hint") == Some("refresh_token");
            let hidden = matches!(presented, PresentedToken::Refresh(_)) && !hinted;
            if !client.allows(Allowance::OpenIntrospection) || hidden {
                return Ok(None);
            }
            self.issuer.count(&client, Allowance::OpenIntrospection);
        }
        if !self.issuer.is_accepted_upstream(token, &presented).await? {
            return Ok(None);
        }
        if is_json {
            self.issuer.count(&client, Allowance::JsonIntrospection);
        }
        Ok(Some((presented, client)))
    }

    /// The claims of an active token; `None` once its user may not use the client any more.
    async fn active_claims(
        &self,
        presented: &PresentedToken,
        client: &Client,
    ) -> Result<Option<Map<String, Value>>, OAuthError> {
        let grant = match presented {
            PresentedToken::Access(facts) => &facts.grant,
            PresentedToken::Refresh(facts) => &facts.grant,
        };
        match self.issuer.check_user(client, &grant.user).await {
            Ok(()) => {}
            Err(IssueError::UserGone | IssueError::RoleMissing) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
        let mut claims = common_claims(grant, client, &self.settings.public_origin);
        match presented {
            PresentedToken::Access(facts) => {
                access_claims(&mut claims, facts);
                if facts.scopes.contains(Scope::OPENID) {
                    let (granted, asked) = (&facts.scopes, grant.userinfo_claims.as_slice());
                    let opened = OpenedClaims { granted, registered: &client.scopes, asked };
                    let Some(profile) = self.issuer.profile(&grant.user, opened).await? else { return Ok(None) };
                    claims.extend(profile.claims(opened));
                }
            }
            PresentedToken::Refresh(facts) => refresh_claims(&mut claims, facts),
        }
        Ok(Some(claims))
    }
}

fn accepts_jwt(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds = accepted.flat_map(|value| value.split(','));
    kinds.filter_map(|kind| kind.split(';').next()).any(|kind| kind.trim().eq_ignore_ascii_case(JWT))
}

fn signed(jwt: String) -> Answer {
    let mut answer = Answer::new(Bytes::from(jwt));
    set(&mut answer, CONTENT_TYPE, JWT);
    set(&mut answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}

fn json_parameters(request: &Request<Bytes>) -> Result<Parameters, OAuthError> {
    refuse_query(request)?;
    Parameters::json(request.body()).and_then(Parameters::without_repetition).map_err(Into::into)
}

fn common_claims(grant: &Grant, client: &Client, issuer: &str) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("active", true.into());
    put("client_id", client.id.as_str().into());
    put("trusted_client", u8::from(client.skip_consent).into());
    put("sub", grant.user.sub.as_str().into());
    put("aud", client.id.as_str().into());
    put("iss", issuer.into());
    claims
}

fn access_claims(claims: &mut Map<String, Value>, facts: &AccessTokenFacts) {
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("username", facts.grant.user.name.as_str().into());
    put("scope", facts.scopes.to_string().into());
    put("token_type", if facts.dpop_key.is_some() { "DPoP" } else { "Bearer" }.into());
    if let Some(key) = facts.dpop_key {
        // RFC 9449 §6.2.
        put("cnf", serde_json::json!({ "jkt": key.to_string() }));
    }
    if let Some(actor) = &facts.grant.act {
        // RFC 8693 §4.1.
        put("act", serde_json::json!(actor));
    }
    // RFC 8707 §2: what the token is for, where that is not all of the site.
    if !facts.resources.is_empty() {
        put("aud", facts.resources.as_slice().into());
    }
    put("exp", facts.expires_at.secs().into());
    put("iat", facts.issued_at.secs().into());
}

/// No `token_type`, no claims of the user (decision 26).
fn refresh_claims(claims: &mut Map<String, Value>, facts: &RefreshTokenFacts) {
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("scope", facts.grant.scopes.to_string().into());
    put("exp", facts.expires_at.secs().into());
    put("iat", facts.issued_at.secs().into());
}
