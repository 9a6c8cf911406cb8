//! The authorization code grant (RFC 6749 §4.1, RFC 7636), and the tokens that the authorization endpoint gives itself.

use super::{
    FirstTokens, GrantRefusal, IdTokenParts, IssueError, IssuedTokens, Issuer, Login, RequestedAccess, may_refresh,
};
use crate::{
    clock::UnixTime,
    oauth::{
        Allowance, AuthorizationRequest, Client, GrantId, Recognised, Scope, TokenHash, TokenKind,
        pkce::{CodeChallenge, Length, is_well_formed},
    },
    secret::Secret,
    store::{CodeRecord, Grant, TakenCode},
    telemetry::audit::AuditEvent,
};

/// The parameters of a token request with `grant_type=authorization_code`.
#[derive(Debug)]
pub struct PresentedCode {
    /// `code`
    pub code: Secret,
    /// `redirect_uri`
    pub redirect_uri: Option<String>,
    /// `code_verifier`
    pub verifier: Option<Secret>,
    /// What the access token is to be.
    pub access: RequestedAccess,
}

/// What the authorization endpoint hands to the browser.
#[derive(Debug, Default)]
pub struct FrontChannelTokens {
    /// The code.
    pub code: Option<Secret>,
    /// The access token, for response types with `token`.
    pub access: Option<IssuedTokens>,
    /// The id_token, for response types with `id_token`.
    pub id_token: Option<String>,
    /// The grant that the code stands for.
    pub code_grant: Option<GrantId>,
}

impl Issuer {
    /// Gives what an accepted request asks for, to a user who has logged in and consented.
    ///
    /// # Errors
    /// When store, upstream or signing fail.
    pub async fn answer_authorization(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        login: &Login,
    ) -> Result<FrontChannelTokens, IssueError> {
        let mut tokens = FrontChannelTokens::default();
        if request.response_type.code {
            let (code, grant) = self.issue_code(client, request, login).await?;
            (tokens.code, tokens.code_grant) = (Some(code), Some(grant));
        }
        if !request.response_type.uses_fragment() {
            return Ok(tokens);
        }
        self.count(client, Allowance::Implicit);
        let grant = self.grant_of(client, request, login);
        if request.response_type.token {
            let first = FirstTokens {
                grant: grant.clone(),
                from_code: None,
                in_login: None,
                nonce: None,
                with_refresh: false,
                with_id_token: false,
                resources: grant.resources.clone(),
                dpop_key: None,
            };
            tokens.access = Some(self.issue(client, first).await?);
        }
        if request.response_type.id_token && request.scopes.contains(Scope::OPENID) {
            let parts = IdTokenParts {
                grant: &grant,
                scopes: &grant.scopes,
                nonce: request.nonce.as_deref(),
                access_token: tokens.access.as_ref().map(|issued| issued.access_token.expose()),
                code: tokens.code.as_ref().map(Secret::expose),
                now: grant.created_at,
            };
            tokens.id_token = Some(self.id_token(client, parts).await?);
        }
        Ok(tokens)
    }

    fn grant_of(&self, client: &Client, request: &AuthorizationRequest, login: &Login) -> Grant {
        Grant {
            id: self.new_grant_id(),
            client: client.id.clone(),
            user: login.user.clone(),
            scopes: request.scopes.clone(),
            created_at: self.clock.now(),
            auth_time: login.auth_time,
            session_claim: login.session_claim.clone(),
            id_token_claims: request.id_token_claims.clone(),
            userinfo_claims: request.userinfo_claims.clone(),
            dpop_key: None,
            resources: request.resources.clone(),
        }
    }

    async fn issue_code(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        login: &Login,
    ) -> Result<(Secret, GrantId), IssueError> {
        let now = self.clock.now();
        let code = self.mint.mint(TokenKind::Code, &*self.random);
        let record = CodeRecord {
            grant: self.new_grant_id(),
            client: request.client_id.clone(),
            user: login.user.clone(),
            redirect_uri: request.redirect_uri.uri.clone(),
            redirect_uri_named: request.redirect_uri.named,
            scopes: request.scopes.clone(),
            nonce: request.nonce.clone(),
            code_challenge: request.code_challenge.clone(),
            auth_time: login.auth_time,
            session_claim: login.session_claim.clone(),
            id_token_claims: request.id_token_claims.clone(),
            userinfo_claims: request.userinfo_claims.clone(),
            dpop_key: request.dpop_key,
            resources: request.resources.clone(),
            login: login
                .login
                .filter(|_| client.grants_end_with_login() && !request.scopes.contains(Scope::OFFLINE_ACCESS)),
            issued_at: now,
            expires_at: now.plus(self.settings.code_ttl),
        };
        let grant = record.grant.clone();
        self.store.put_code(code.hash, record).await?;
        Ok((code.text, grant))
    }

    /// Exchanges a code for tokens. The code is used up by the attempt, whatever comes of it.
    ///
    /// # Errors
    /// The refusal; or that store, upstream or signing fail.
    pub async fn redeem_code(&self, client: &Client, presented: PresentedCode) -> Result<IssuedTokens, IssueError> {
        let now = self.clock.now();
        let text = presented.code.expose();
        if self.mint.recognise(text) != Recognised::Ours(TokenKind::Code) {
            return Err(GrantRefusal::MalformedCode.into());
        }
        let hash = TokenHash::of(text);
        let record = self.take_code(client, hash, now).await?;
        check_redirect_uri(&record, presented.redirect_uri.as_deref())?;
        self.check_verifier(client, record.code_challenge.as_ref(), presented.verifier.as_ref())?;
        let access = presented.access;
        if record.dpop_key.is_some_and(|key| access.dpop_key != Some(key)) {
            return Err(GrantRefusal::KeyNotProven.into());
        }
        let resources = access.resources_within(&record.resources)?;
        self.check_user(client, &record.user).await?;
        // Whoever authenticates shows by that who may use the refresh token (RFC 9449 §5).
        let refresh_key = access.dpop_key.filter(|_| client.is_public());
        let first = FirstTokens {
            in_login: record.login,
            nonce: record.nonce.clone(),
            grant: Grant { dpop_key: refresh_key, ..grant_of_code(record, now) },
            from_code: Some(hash),
            with_refresh: may_refresh(client),
            with_id_token: true,
            resources,
            dpop_key: access.dpop_key,
        };
        self.issue(client, first).await
    }

    async fn take_code(&self, client: &Client, hash: TokenHash, now: UnixTime) -> Result<CodeRecord, IssueError> {
        let record = match self.store.take_code(hash, now).await? {
            TakenCode::Taken(record) => *record,
            TakenCode::Replayed(grant) => {
                (self.grant_ended)(&grant);
                self.record(&AuditEvent {
                    event: "code_replayed",
                    client_id: Some(client.id.as_str()),
                    grant_id: Some(grant.as_str()),
                    ..AuditEvent::default()
                });
                return Err(GrantRefusal::ReplayedCode.into());
            }
            TakenCode::Absent => return Err(GrantRefusal::UnknownCode.into()),
        };
        if record.client != client.id {
            self.record(&AuditEvent {
                event: "code_of_another_client",
                client_id: Some(client.id.as_str()),
                user: Some(record.user.name.as_str()),
                grant_id: Some(record.grant.as_str()),
                ..AuditEvent::default()
            });
            return Err(GrantRefusal::OtherClient.into());
        }
        Ok(record)
    }

    fn check_verifier(
        &self,
        client: &Client,
        challenge: Option<&CodeChallenge>,
        verifier: Option<&Secret>,
    ) -> Result<(), GrantRefusal> {
        let (challenge, verifier) = match (challenge, verifier) {
            (Some(challenge), Some(verifier)) => (challenge, verifier.expose()),
            (Some(_), None) => return Err(GrantRefusal::VerifierMissing),
            (None, Some(_)) => return Err(GrantRefusal::VerifierUnexpected),
            (None, None) => return Ok(()),
        };
        if !is_well_formed(verifier, Length::Rfc7636) {
            if !(client.allows(Allowance::ShortVerifier) && is_well_formed(verifier, Length::Short)) {
                return Err(GrantRefusal::VerifierMalformed);
            }
            self.count(client, Allowance::ShortVerifier);
        }
        if challenge.is_met_by(verifier) { Ok(()) } else { Err(GrantRefusal::VerifierWrong) }
    }
}

fn check_redirect_uri(record: &CodeRecord, presented: Option<&str>) -> Result<(), GrantRefusal> {
    match presented {
        Some(uri) if uri == record.redirect_uri => Ok(()),
        Some(_) => Err(GrantRefusal::RedirectUriDiffers),
        None if record.redirect_uri_named => Err(GrantRefusal::RedirectUriMissing),
        None => Ok(()),
    }
}

fn grant_of_code(record: CodeRecord, now: UnixTime) -> Grant {
    Grant {
        id: record.grant,
        client: record.client,
        user: record.user,
        scopes: record.scopes,
        created_at: now,
        auth_time: record.auth_time,
        session_claim: record.session_claim,
        id_token_claims: record.id_token_claims,
        userinfo_claims: record.userinfo_claims,
        dpop_key: None,
        resources: record.resources,
    }
}
