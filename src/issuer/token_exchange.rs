//! Token exchange (RFC 8693): a client that was handed the token of another one gets a token of its own for the same user,
//! with no more rights and no longer life. It ends with the grant that the first token stands for.

use super::{FirstTokens, GrantRefusal, IssueError, IssuedTokens, Issuer, MadeFrom, PresentedToken, RequestedAccess};
use crate::{
    erpnext::NativeTokens,
    oauth::{Actor, Client, ClientId, KeyThumbprint, Recognised, Scope, Scopes},
    secret::Secret,
    store::{AccessTokenFacts, Grant},
    telemetry::audit::AuditEvent,
};

/// A token that the client which presented it may exchange: it is active, its key has been proven, and it was issued to a
/// client whose tokens that one may exchange.
#[derive(Debug)]
pub struct SubjectToken {
    facts: AccessTokenFacts,
    actor: Actor,
}

impl SubjectToken {
    /// The client that it was issued to.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.facts.grant.client
    }
}

impl Issuer {
    /// The token that a client presents to be exchanged, with the key that it has proven to hold.
    ///
    /// # Errors
    /// Why it can't be exchanged by this client; or that the store can't answer.
    pub async fn subject_token(
        &self,
        client: &Client,
        presented: &Secret,
        dpop_key: Option<KeyThumbprint>,
    ) -> Result<SubjectToken, IssueError> {
        let facts = self.active_subject(presented.expose()).await?;
        if !client.exchanges_tokens_of.contains(&facts.grant.client) {
            self.record(&AuditEvent {
                event: "subject_token_of_another_client",
                client_id: Some(client.id.as_str()),
                user: Some(facts.grant.user.name.as_str()),
                grant_id: Some(facts.grant.id.as_str()),
                ..AuditEvent::default()
            });
            return Err(GrantRefusal::SubjectOfOtherClient.into());
        }
        // Who has seen a token that is bound to a key must not get one by it that is not.
        if facts.dpop_key.is_some_and(|bound_to| dpop_key != Some(bound_to)) {
            return Err(GrantRefusal::SubjectKeyNotProven.into());
        }
        let actor = Actor::after(facts.grant.act.as_ref(), client.id.clone());
        let actor = actor.ok_or(GrantRefusal::ExchangedTooOften)?;
        Ok(SubjectToken { facts, actor })
    }

    /// Exchanges a token that was issued to the client `of` for one as it is asked for. No refresh token: the client can
    /// exchange again as long as it is handed tokens.
    ///
    /// # Errors
    /// The refusal; or that store or upstream fail.
    pub async fn exchange(
        &self,
        client: &Client,
        of: &Client,
        subject: SubjectToken,
        asked: RequestedAccess,
    ) -> Result<IssuedTokens, IssueError> {
        let SubjectToken { facts, actor } = subject;
        // What holds an agent back would not hold back who is none.
        if of.agent.is_some() && client.agent.is_none() {
            return Err(GrantRefusal::SubjectOfOtherClient.into());
        }
        let resources = asked.resources_within(&facts.resources)?;
        let from = facts.grant;
        self.check_user(of, &from.user).await.map_err(|error| match error {
            // The token is active no more where it belongs.
            IssueError::UserGone | IssueError::RoleMissing => GrantRefusal::SubjectNotActive.into(),
            other => other,
        })?;
        self.check_user(client, &from.user).await?;
        let grant = Grant {
            id: self.new_grant_id(),
            client: client.id.clone(),
            user: from.user,
            scopes: exchanged_scopes(client, &facts.scopes, asked.scope)?,
            created_at: self.clock.now(),
            auth_time: from.auth_time,
            session_claim: None,
            id_token_claims: Vec::new(),
            // They were asked for by the other client, and allowed to that one.
            userinfo_claims: Vec::new(),
            dpop_key: None,
            resources: resources.clone(),
            act: Some(actor),
        };
        let first = FirstTokens {
            grant,
            from_code: None,
            in_login: None,
            made_from: Some(MadeFrom { grant: from.id.clone(), ends_at: facts.expires_at }),
            nonce: None,
            with_refresh: false,
            with_id_token: false,
            resources,
            dpop_key: asked.dpop_key,
        };
        let tokens = self.issue(client, first).await?;
        self.record(&AuditEvent {
            event: "token_exchanged",
            client_id: Some(client.id.as_str()),
            user: Some(tokens.user.as_str()),
            grant_id: Some(tokens.grant.as_str()),
            from_client_id: Some(from.client.as_str()),
            from_grant_id: Some(from.id.as_str()),
            ..AuditEvent::default()
        });
        Ok(tokens)
    }

    /// What is known of an active access token of our own making.
    async fn active_subject(&self, text: &str) -> Result<AccessTokenFacts, IssueError> {
        let is_foreign = self.mint.recognise(text) == Recognised::Foreign;
        match self.presented_token(text).await? {
            // ERPNext ends its own tokens without telling: what was made from one could outlive it.
            Some(PresentedToken::Access(facts)) if !(is_foreign && NativeTokens::made(&facts.grant.id)) => Ok(facts),
            Some(PresentedToken::Access(_) | PresentedToken::Refresh(_)) | None => {
                Err(GrantRefusal::SubjectNotActive.into())
            }
        }
    }
}

/// The scopes asked for, which must be the token's and the client's; asked for none, all that both have. `all` stands for no
/// other scope here, since a rule may demand one that `all` does not satisfy; but for an agent it stands for those that make
/// less of it, of which writing must be asked for.
fn exchanged_scopes(client: &Client, of_token: &Scopes, asked: Option<Scopes>) -> Result<Scopes, GrantRefusal> {
    let common = of_token.filtered(|scope| client.may_be_granted(scope));
    let lesser = |scopes: &[&'static str]| {
        let is_lesser = client.agent.is_some() && of_token.contains(Scope::ALL);
        let scopes = scopes.iter().filter(|scope| is_lesser && client.may_be_granted(scope));
        common.union(&scopes.filter_map(|scope| Scope::parse(scope).ok()).collect())
    };
    match asked.filter(|scopes| !scopes.is_empty()) {
        Some(scopes) if scopes.is_subset_of(&lesser(&[Scope::ERP_READ, Scope::ERP_WRITE])) => Ok(scopes),
        Some(_) => Err(GrantRefusal::ScopeTooWide),
        None => Some(lesser(&[Scope::ERP_READ])).filter(|scopes| !scopes.is_empty()).ok_or(GrantRefusal::NoCommonScope),
    }
}
