//! Agents at our endpoints: which scopes a user grants one, and that none is served while the operator has stopped them.

use super::{Endpoints, forms::forbidden, parameters::Parameters, respond::OAuthError};
use crate::oauth::{Client, ErrorCode, Scopes};

/// What the name of a check box begins with; the scope follows.
pub(super) const TICK: &str = "grant:";
const YES: &str = "yes";

/// What an agent hears.
pub(super) const STOPPED: &str = "the operator has stopped agents: ask the people who run this site";

impl Endpoints {
    /// Whether the operator has stopped agents, and this is one. The store is asked: nothing may be issued that another
    /// process has just ended.
    pub(super) async fn is_stopped(&self, client: &Client) -> Result<bool, OAuthError> {
        Ok(client.agent.is_some() && self.issuer.store.agents_stopped_since().await?.is_some())
    }

    /// Refuses an agent while the operator has stopped them.
    pub(super) async fn check_is_running(&self, client: &Client) -> Result<(), OAuthError> {
        if self.is_stopped(client).await? {
            Err(OAuthError::new(ErrorCode::UnauthorizedClient, STOPPED))
        } else {
            Ok(())
        }
    }
}

/// What a user grants of these scopes: those that need no tick, and those that were ticked. A tick for anything else makes the
/// form none of ours (decision 15).
pub(super) fn granted(client: &Client, asked: &Scopes, form: &Parameters) -> Result<Scopes, OAuthError> {
    let mut ticked = Vec::new();
    for (scope, value) in form.beginning_with(TICK) {
        if value != YES || !asked.contains(scope) || !client.must_be_ticked(scope) {
            return Err(forbidden());
        }
        ticked.push(scope);
    }
    Ok(asked.filtered(|scope| !client.must_be_ticked(scope) || ticked.contains(&scope)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ClientSettings, oauth::AgentTerms};

    fn granted_by(client: &Client, form: &str) -> Option<String> {
        let asked = Scopes::parse("openid erp:read erp:write read:Customer").expect("scopes");
        let form = Parameters::urlencoded(form.as_bytes()).expect("a form");
        granted(client, &asked, &form).ok().map(|scopes| scopes.to_string())
    }

    #[test]
    fn an_agent_is_granted_what_reads_and_what_is_ticked() {
        let client = ClientSettings { id: "agent".to_owned(), ..ClientSettings::default() }.to_client();
        let agent = client.clone().into_agent(AgentTerms::default());
        let of_agent = |form| granted_by(&agent, form);
        assert_eq!(of_agent("decision=allow").as_deref(), Some("openid erp:read"));
        assert_eq!(of_agent("grant:erp:write=yes").as_deref(), Some("openid erp:read erp:write"));
        assert_eq!(of_agent("grant%3Aread%3ACustomer=yes").as_deref(), Some("openid erp:read read:Customer"));
        for forged in ["grant:all=yes", "grant:erp:read=yes", "grant:=yes", "grant:erp:write=no", "grant:read:User=yes"]
        {
            assert_eq!(of_agent(forged), None, "{forged}");
        }
        assert_eq!(granted_by(&client, "").as_deref(), Some("openid erp:read erp:write read:Customer"));
        assert_eq!(granted_by(&client, "grant:erp:write=yes"), None, "there is no box for it");
    }
}
