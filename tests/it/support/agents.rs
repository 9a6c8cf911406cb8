//! An agent, and the user who ticks what it may do.

use super::{Answer, Browser, Client, METHOD, SHOP, Setup, TestGateway, Tokens, authorize_url, hidden};

/// A confidential client that is an agent.
pub const AGENT: Client = SHOP.named("agent", "https://agent.example/cb");
/// What it asks for, mostly.
pub const AGENT_SCOPE: (&str, &str) = ("scope", "openid erp:read erp:write");

impl Setup {
    /// Has an agent among the clients, with these keys besides.
    #[must_use]
    pub fn agent(self, more: &str) -> Self {
        let (id, secret, uri) = (AGENT.id, AGENT.secret, AGENT.redirect_uri);
        let keys = format!("id = '{id}'\nname = 'Robot'\nsecret = '{secret}'\nredirect_uris = ['{uri}']\nagent = true");
        self.client(&format!("{keys}\n{more}"))
    }
}

impl Browser<'_> {
    /// Ticks these scopes and allows.
    pub fn allow_with(&mut self, page: &Answer, ticks: &[&str]) -> Answer {
        let (handle, token) = (hidden(page, "handle"), hidden(page, "token"));
        let names: Vec<_> = ticks.iter().map(|scope| format!("grant:{scope}")).collect();
        let form = [("handle", handle.as_str()), ("token", token.as_str()), ("decision", "allow")];
        let form: Vec<_> = form.into_iter().chain(names.iter().map(|name| (name.as_str(), "yes"))).collect();
        self.post(&format!("{METHOD}approve"), &form)
    }
}

impl TestGateway {
    /// Tokens for this client, with what is ticked.
    pub fn ticked(&self, user: &str, client: Client, scope: (&str, &str), ticks: &[&str]) -> Tokens {
        let mut browser = Browser::of(self, user);
        let page = browser.get(&authorize_url(client, &[scope]));
        let answer = browser.allow_with(&page, ticks);
        let code = answer.parameter("code").unwrap_or_else(|| panic!("no code: {answer}"));
        Tokens::of(&self.exchange(client, &code, &[]))
    }
}
