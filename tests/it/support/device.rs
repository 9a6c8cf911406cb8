//! A device that asks, and the user who types its code.

use serde_json::Value;

use super::{APP, Answer, Browser, Client, METHOD, TestGateway, hidden};

pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// A public client without a browser.
pub const TV: Client = APP.named("tv", "");
/// Its `[[client]]` block.
pub const TV_BLOCK: &str = "id = 'tv'\nname = 'Living room'\nauth_method = 'none'\n\
                            grant_types = ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token']";

/// A device authorization response.
pub struct Device {
    /// The device code.
    pub code: String,
    pub user_code: String,
    pub body: Value,
}

impl Device {
    pub fn ask(gateway: &TestGateway, client: Client, form: &[(&str, &str)]) -> Self {
        let answer = gateway.as_client(client, "device_authorization", form);
        assert_eq!(answer.status, 200, "{answer}");
        Self { code: answer.member("device_code"), user_code: answer.member("user_code"), body: answer.json() }
    }

    pub fn poll(&self, gateway: &TestGateway, client: Client) -> Answer {
        let form = [("grant_type", DEVICE_GRANT), ("device_code", &self.code)];
        gateway.as_client(client, "get_token", &form)
    }
}

impl Browser<'_> {
    /// Types a code into the page of devices.
    pub fn type_code(&mut self, code: &str) -> Answer {
        let page = self.get(&format!("{METHOD}device"));
        let token = hidden(&page, "token");
        self.post(&format!("{METHOD}device"), &[("token", &token), ("user_code", code)])
    }

    /// Presses a button of the page that a code led to.
    pub fn decide_device(&mut self, page: &Answer, decision: &str) -> Answer {
        assert_eq!(page.status, 200, "{page}");
        let (code, token) = (hidden(page, "user_code"), hidden(page, "token"));
        self.post(&format!("{METHOD}device"), &[("user_code", &code), ("token", &token), ("decision", decision)])
    }
}
