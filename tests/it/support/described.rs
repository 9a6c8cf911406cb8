//! Clients that a document of their own describes.

use serde_json::{Value, json};

use super::{Auth, Client, Publisher, SHOP, Setup};

/// Where native apps are led back to.
pub const LOOPBACK: &str = "http://127.0.0.1/cb";

impl Setup {
    /// Takes clients by their documents, those of this publisher's too.
    #[must_use]
    pub fn taking_documents(self, publisher: &Publisher) -> Self {
        publisher.allowed_in(self).set("registration.metadata_documents", true).set("registration.rate", "1000/s")
    }
}

impl Publisher {
    /// The document of a public client under this path, with these members besides.
    pub fn document(&self, path: &str, more: &Value) -> Value {
        let mut document = json!({ "client_id": self.url(path), "redirect_uris": [LOOPBACK], "client_name": "Agent",
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none" });
        for (name, value) in more.as_object().expect("an object") {
            document[name] = value.clone();
        }
        document
    }

    /// Publishes such a document; the client as the other steps take it.
    pub fn describe(&self, path: &str, more: &Value) -> Client {
        self.publish(path, &self.document(path, more));
        SHOP.named(self.url(path).leak(), LOOPBACK).with_secret("").with(Auth::None)
    }
}
