//! Checks 1 to 6 of the contract: client, redirect URI, response type and mode, challenge, scopes.

use std::sync::Arc;

use http::HeaderMap;

use super::{Endpoints, Language, Parameters, answer::Destination, claims_parameter};
use crate::{
    endpoints::respond::OAuthError,
    oauth::{
        Allowance, AuthorizationRequest, Client, ClientId, ErrorCode, KeyThumbprint, Pkce, Prompt, RedirectTarget,
        Resources, ResponseMode, ResponseType, Scope, Scopes, Subject,
        pkce::{ChallengeMethod, CodeChallenge, Length, is_well_formed},
        scope_of_claim,
    },
};

/// What passed.
pub(super) struct Checked {
    pub client: Arc<Client>,
    pub request: AuthorizationRequest,
}

/// What did not, and where the client hears of it.
pub(super) struct Refusal {
    pub to: Destination,
    pub error: OAuthError,
}

impl Endpoints {
    /// The outer error goes on a page of ours, the inner one to the redirect URI.
    pub(super) async fn check_request(
        &self,
        parameters: &Parameters,
        headers: &HeaderMap,
    ) -> Result<Result<Checked, Refusal>, OAuthError> {
        let id = parameters.get("client_id").ok_or_else(|| OAuthError::invalid_request("client_id is missing"))?;
        let client = self.clients.client(&ClientId::new(id)).await?;
        let client = client.ok_or_else(|| OAuthError::invalid_request("the client is unknown or disabled"))?;
        let redirect_uri = check_redirect_uri(&client, parameters)?;
        let to = Destination {
            uri: redirect_uri.uri.clone(),
            mode: error_mode(parameters),
            state: parameters.get("state").map(str::to_owned),
            language: Language::of(parameters.get("ui_locales"), headers),
        };
        let checked = check_is_direct(&client).and_then(|()| self.check_rest(&client, parameters, redirect_uri));
        Ok(match checked {
            Ok(request) => Ok(Checked { client, request }),
            Err(error) => Err(Refusal { to, error }),
        })
    }

    /// The same of a request that the client has pushed: it hears of every error itself (RFC 9126 §2.3).
    pub(in crate::endpoints) fn check_pushed(
        &self,
        client: &Client,
        form: &Parameters,
    ) -> Result<AuthorizationRequest, OAuthError> {
        // FAPI 2.0 Security Profile §5.3.2.2.
        if client.pushes_requests && form.get("redirect_uri").is_none() {
            return Err(OAuthError::invalid_request("redirect_uri is missing"));
        }
        self.check_rest(client, form, check_redirect_uri(client, form)?)
    }

    fn check_rest(
        &self,
        client: &Client,
        parameters: &Parameters,
        redirect_uri: RedirectTarget,
    ) -> Result<AuthorizationRequest, OAuthError> {
        check_repetition_and_unsupported(parameters)?;
        let response_type = check_response_type(client, parameters)?;
        let response_mode = check_response_mode(response_type, parameters)?;
        let code_challenge = self.check_challenge(client, response_type, parameters)?;
        let scopes = check_scopes(client, parameters)?;
        let nonce = parameters.get("nonce").map(str::to_owned);
        if response_type.id_token && nonce.is_none() {
            return Err(OAuthError::invalid_request("nonce is required for this response_type"));
        }
        if response_type.id_token && !scopes.contains(Scope::OPENID) {
            return Err(OAuthError::invalid_request("this response_type needs the scope openid"));
        }
        // Without an OpenID Connect request there is nobody to tell of.
        let asked = parameters.get("claims").filter(|_| scopes.contains(Scope::OPENID));
        let claims = claims_parameter::asked_claims(asked)?;
        let may_hear = |claim: &String| scope_of_claim(claim).is_some_and(|scope| client.may_be_granted(scope));
        let prompt = Prompt::parse(parameters.get("prompt").unwrap_or_default());
        Ok(AuthorizationRequest {
            client_id: client.id.clone(),
            redirect_uri,
            response_type,
            response_mode,
            state: parameters.get("state").map(str::to_owned),
            scopes,
            nonce,
            code_challenge,
            prompt: prompt
                .ok_or_else(|| OAuthError::invalid_request("prompt has an unknown value, or none beside another"))?,
            max_age: check_max_age(parameters)?,
            hinted_subject: self.check_hint(client, parameters)?.or(claims.sub),
            login_hint: parameters.get("login_hint").map(str::to_owned),
            id_token_claims: claims.id_token.into_iter().filter(may_hear).collect(),
            userinfo_claims: claims.userinfo.into_iter().filter(may_hear).collect(),
            needs_auth_time: claims.needs_auth_time,
            dpop_key: check_key(parameters)?,
            resources: Resources::parse(parameters.each("resource"), &self.settings.public_origin)?,
            ui_locales: parameters.get("ui_locales").map(str::to_owned),
        })
    }

    fn check_challenge(
        &self,
        client: &Client,
        response_type: ResponseType,
        parameters: &Parameters,
    ) -> Result<Option<CodeChallenge>, OAuthError> {
        let refuse = |text: &'static str| Err(OAuthError::invalid_request(text));
        let Some(challenge) = parameters.get("code_challenge") else {
            if parameters.get("code_challenge_method").is_some() && !client.allows(Allowance::NoPkce) {
                return refuse("code_challenge_method without code_challenge");
            }
            if !response_type.code || (client.pkce == Pkce::Optional && !client.is_public()) {
                return Ok(None);
            }
            if client.allows(Allowance::NoPkce) {
                self.issuer.count(client, Allowance::NoPkce);
                return Ok(None);
            }
            return refuse("code_challenge is required (RFC 7636)");
        };
        let method = ChallengeMethod::parse(parameters.get("code_challenge_method").unwrap_or("plain"));
        let Some(method) = method else { return refuse("code_challenge_method must be S256") };
        if method == ChallengeMethod::Plain {
            if !client.allows(Allowance::PlainPkce) {
                return refuse("code_challenge_method must be S256");
            }
            self.issuer.count(client, Allowance::PlainPkce);
        }
        // An S256 challenge has its length from SHA-256; some libraries pad it.
        if !is_well_formed(challenge.trim_end_matches('='), Length::Rfc7636) {
            let short = method == ChallengeMethod::Plain
                && client.allows(Allowance::ShortVerifier)
                && is_well_formed(challenge, Length::Short);
            if !short {
                return refuse("code_challenge must be 43 to 128 of the characters A-Z a-z 0-9 - . _ ~");
            }
            self.issuer.count(client, Allowance::ShortVerifier);
        }
        Ok(Some(CodeChallenge { method, challenge: challenge.to_owned() }))
    }

    /// The subject of `id_token_hint`, which must be an id_token of ours, issued to this client; it may have expired.
    fn check_hint(&self, client: &Client, parameters: &Parameters) -> Result<Option<Subject>, OAuthError> {
        let Some(hint) = parameters.get("id_token_hint") else { return Ok(None) };
        let refused = || OAuthError::invalid_request("id_token_hint is not an id_token that was issued to this client");
        self.hinted_subject(hint, client).map(Some).ok_or_else(refused)
    }

    /// The client of a stored request, which must still allow all of it.
    pub(in crate::endpoints) async fn recheck(
        &self,
        request: &AuthorizationRequest,
    ) -> Result<Arc<Client>, OAuthError> {
        let client = self.clients.client(&request.client_id).await?;
        let client = client.ok_or_else(|| OAuthError::invalid_request("the client is unknown or disabled"))?;
        let registered = client.redirect_uris.iter().chain(&client.default_redirect_uri);
        let unchanged = registered.into_iter().any(|uri| uri.matches(&request.redirect_uri.uri))
            && client.may_ask_for(request.response_type)
            && request.consent_scopes().iter().all(|scope| client.may_be_granted(scope.as_str()));
        if unchanged {
            Ok(client)
        } else {
            Err(OAuthError::invalid_request("the client has changed: start again at the application"))
        }
    }
}

/// The key that whoever presents the code must hold (RFC 9449 §10).
fn check_key(parameters: &Parameters) -> Result<Option<KeyThumbprint>, OAuthError> {
    let parse = |text| KeyThumbprint::parse(text).map_err(|_| OAuthError::invalid_request("dpop_jkt is no thumbprint"));
    parameters.get("dpop_jkt").map(parse).transpose()
}

/// RFC 9126 §6.
fn check_is_direct(client: &Client) -> Result<(), OAuthError> {
    if client.pushes_requests {
        Err(OAuthError::invalid_request("this client must push its authorization requests (RFC 9126)"))
    } else {
        Ok(())
    }
}

fn check_redirect_uri(client: &Client, parameters: &Parameters) -> Result<RedirectTarget, OAuthError> {
    let wrong = || OAuthError::invalid_request("redirect_uri is not one that is registered for this client");
    if let Some(presented) = parameters.get("redirect_uri") {
        let registered = client.redirect_uris.iter().chain(&client.default_redirect_uri);
        return if registered.into_iter().any(|uri| uri.matches(presented)) {
            Ok(RedirectTarget { uri: presented.to_owned(), named: true })
        } else {
            Err(wrong())
        };
    }
    // OpenID Connect Core §3.1.2.1 requires it.
    if parameters.get("scope").is_some_and(|scope| scope.split_ascii_whitespace().any(|s| s == Scope::OPENID)) {
        return Err(OAuthError::invalid_request("redirect_uri is required with the scope openid"));
    }
    let sole = client.sole_redirect_uri().ok_or_else(|| OAuthError::invalid_request("redirect_uri is missing"))?;
    Ok(RedirectTarget { uri: sole.as_str().to_owned(), named: false })
}

/// How an error travels while it is not known yet whether the request's own mode is good.
fn error_mode(parameters: &Parameters) -> ResponseMode {
    let response_type = parameters.get("response_type").and_then(|text| ResponseType::parse(text).ok());
    let default = default_mode(response_type);
    match parameters.get("response_mode").and_then(ResponseMode::parse) {
        Some(ResponseMode::Query) | None => default,
        Some(mode) => mode,
    }
}

fn default_mode(response_type: Option<ResponseType>) -> ResponseMode {
    if response_type.is_some_and(ResponseType::uses_fragment) { ResponseMode::Fragment } else { ResponseMode::Query }
}

fn check_repetition_and_unsupported(parameters: &Parameters) -> Result<(), OAuthError> {
    const ONCE: [&str; 16] = [
        "response_type",
        "scope",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "prompt",
        "max_age",
        "login_hint",
        "id_token_hint",
        "response_mode",
        "claims",
        "ui_locales",
        "claims_locales",
        "acr_values",
        "display",
        "dpop_jkt",
    ];
    if let Some(name) = ONCE.into_iter().find(|name| parameters.count(name) > 1) {
        return Err(OAuthError::invalid_request(format!("the parameter {name} is repeated")));
    }
    let unsupported = [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ];
    match unsupported.into_iter().find(|(name, _)| parameters.sent(name).is_some()) {
        Some((name, code)) => Err(OAuthError::new(code, format!("the parameter {name} is not supported"))),
        None => Ok(()),
    }
}

fn check_response_type(client: &Client, parameters: &Parameters) -> Result<ResponseType, OAuthError> {
    let text =
        parameters.get("response_type").ok_or_else(|| OAuthError::invalid_request("response_type is missing"))?;
    let parsed = ResponseType::parse(text)
        .map_err(|_| OAuthError::new(ErrorCode::UnsupportedResponseType, "this response_type is not supported"))?;
    if client.may_ask_for(parsed) {
        Ok(parsed)
    } else {
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, "the client may not use this response_type"))
    }
}

fn check_response_mode(response_type: ResponseType, parameters: &Parameters) -> Result<ResponseMode, OAuthError> {
    let Some(text) = parameters.get("response_mode") else { return Ok(default_mode(Some(response_type))) };
    match ResponseMode::parse(text) {
        None => Err(OAuthError::invalid_request("response_mode must be query, fragment or form_post")),
        Some(ResponseMode::Query) if response_type.uses_fragment() => {
            Err(OAuthError::invalid_request("response_mode=query is refused for a response with a token"))
        }
        Some(mode) => Ok(mode),
    }
}

/// With an OpenID Connect request unknown scopes are dropped, without one they are an error (decision 20).
/// The scopes that a request asks for, and the client may be granted; asked for none, all of the client's.
pub(in crate::endpoints) fn check_scopes(client: &Client, parameters: &Parameters) -> Result<Scopes, OAuthError> {
    let invalid = |text: &'static str| OAuthError::new(ErrorCode::InvalidScope, text);
    let asked = parameters.get("scope").unwrap_or_default();
    let asked = Scopes::parse(asked).map_err(|_| invalid("scope has a character that no scope has"))?;
    if asked.is_empty() {
        return Ok(client.scopes.clone());
    }
    let known = |scope: &str| client.may_be_granted(scope);
    if client.source.is_anybodys() {
        // It was told what it may have when it registered, and asks for all that the resource metadata lists nevertheless: so
        // do the clients of MCP (RFC 9728 §2, RFC 6749 §3.3).
        let granted = asked.filtered(known);
        let refused = || invalid("no scope of these is registered for this client");
        return if granted.is_empty() { Err(refused()) } else { Ok(granted) };
    }
    if !asked.contains(Scope::OPENID) {
        return if asked.iter().all(|scope| known(scope.as_str())) {
            Ok(asked)
        } else {
            Err(invalid("a scope is not registered for this client"))
        };
    }
    if !client.scopes.contains(Scope::OPENID) {
        return Err(invalid("the scope openid is not registered for this client"));
    }
    Ok(asked.filtered(known))
}

fn check_max_age(parameters: &Parameters) -> Result<Option<u64>, OAuthError> {
    let parse =
        |text: &str| text.parse().map_err(|_| OAuthError::invalid_request("max_age must be a number of seconds"));
    parameters.get("max_age").map(parse).transpose()
}
