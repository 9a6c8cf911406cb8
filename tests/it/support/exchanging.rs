//! Clients that exchange tokens, and how they do.

use super::{Answer, Client, Request, SHOP, TestGateway, client_request};

pub const EXCHANGE_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Exchanges the tokens of `shop`, `app` and `post`, and its own.
pub const BACKEND: Client = SHOP.named("backend", "").with_secret("canary-secret-of-backend-0123456789");
/// Its `[[client]]` block.
pub const BACKEND_BLOCK: &str = "id = 'backend'\nname = 'Order desk'\nsecret = 'canary-secret-of-backend-0123456789'\n\
                                 grant_types = ['urn:ietf:params:oauth:grant-type:token-exchange']\n\
                                 exchanges_tokens_of = ['shop', 'app', 'post', 'scoped', 'backend']\n\
                                 scopes = ['openid', 'all', 'read:Customer']";
/// Exchanges the tokens of `backend` alone.
pub const RELAY: Client = SHOP.named("relay", "").with_secret("canary-secret-of-agent-0123456789ab");
/// Its `[[client]]` block.
pub const RELAY_BLOCK: &str = "id = 'relay'\nsecret = 'canary-secret-of-agent-0123456789ab'\n\
                               grant_types = ['urn:ietf:params:oauth:grant-type:token-exchange']\n\
                               exchanges_tokens_of = ['backend']\nscopes = ['openid', 'read:Customer']";

/// The request by which a client exchanges an access token.
pub fn exchange_token_request(client: Client, token: &str, extra: &[(&str, &str)]) -> Request {
    let standard =
        [("grant_type", EXCHANGE_GRANT), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN_TYPE)];
    let kept = standard.into_iter().filter(|(name, _)| extra.iter().all(|(other, _)| other != name));
    let form: Vec<_> = kept.chain(extra.iter().copied()).collect();
    client_request(client, "get_token", &form)
}

impl TestGateway {
    /// Exchanges an access token.
    pub fn exchange_token(&self, client: Client, token: &str, extra: &[(&str, &str)]) -> Answer {
        self.send(&exchange_token_request(client, token, extra))
    }
}
