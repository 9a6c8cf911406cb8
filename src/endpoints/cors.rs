//! Cross-origin requests (the Fetch standard): who may read our answers from a script. Never with credentials.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};

use super::{
    Endpoints,
    respond::{Answer, set},
};
use crate::{oauth::Client, route::Endpoint};

/// The client that an answer belongs to, put with the answer so that its origins can be checked.
#[derive(Clone, Debug)]
pub(super) struct AnswerOf(pub Arc<Client>);

/// Which origins may read an endpoint's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    Anyone,
    Clients,
    Nobody,
}

fn readers(endpoint: Endpoint) -> Readers {
    match endpoint {
        Endpoint::Discovery | Endpoint::Jwks | Endpoint::ResourceMetadata => Readers::Anyone,
        Endpoint::PushedRequest
        | Endpoint::DeviceAuthorization
        | Endpoint::Token
        | Endpoint::Revoke
        | Endpoint::Userinfo
        | Endpoint::Introspect
        | Endpoint::Register => Readers::Clients,
        Endpoint::Device
        | Endpoint::Authorize
        | Endpoint::Approve
        | Endpoint::ConnectedApps
        | Endpoint::Login
        | Endpoint::EndSession => Readers::Nobody,
    }
}

impl Endpoints {
    /// Answers a preflight: it names no client, so that any registered client's origin passes.
    pub(super) fn preflight(&self, endpoint: Endpoint, allow: &str, headers: &HeaderMap) -> Answer {
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        set(&mut answer, header::ALLOW, allow);
        self.open_to_origin(endpoint, headers, &mut answer);
        if answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            set(&mut answer, header::ACCESS_CONTROL_ALLOW_METHODS, allow);
            set(&mut answer, header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, Accept, DPoP");
            set(&mut answer, header::ACCESS_CONTROL_MAX_AGE, "86400");
        }
        answer
    }

    /// Lets the asking origin read the answer, if it may.
    pub(super) fn open_to_origin(&self, endpoint: Endpoint, headers: &HeaderMap, answer: &mut Answer) {
        let readers = readers(endpoint);
        if readers == Readers::Nobody {
            return;
        }
        if readers == Readers::Anyone {
            set(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
            return;
        }
        answer.headers_mut().append(header::VARY, header::HeaderValue::from_static("Origin"));
        let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return };
        let client = answer.extensions().get::<AnswerOf>().map(|of| Arc::clone(&of.0));
        let registered = match client {
            Some(client) => client.redirect_uris.iter().any(|uri| uri.origin_or_scheme() == origin),
            None => self.clients.known().redirect_origins.contains(origin),
        };
        if registered || self.settings.allowed_origins.contains(origin) {
            set(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            set(answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate, Retry-After, DPoP-Nonce");
        }
    }
}

/// Origins as the configuration lists them.
pub type Origins = BTreeSet<String>;
