//! The registration endpoint (RFC 7591), and under the same path with `client_id` in the query that of a client's own
//! registration (RFC 7592).

mod management;
mod presented;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use self::presented::bearer;
use super::{
    Counted, Endpoints, METHOD_PATH, Peer, allowed_methods, media_type,
    respond::{Answer, OAuthError, json, no_store, set},
};
use crate::{
    erpnext::{REGISTERED_PREFIX, Registration},
    oauth::{ClientId, ClientMetadata, ErrorCode, InvalidMetadata, RegistrationPolicy, RequestedMetadata, TokenHash},
    random::Random,
    route::Endpoint,
    secret::Secret,
    telemetry::audit::AuditEvent,
};

/// Whom the site lets register.
#[derive(Clone, Debug)]
pub struct RegistrationRules {
    /// With what.
    pub policy: RegistrationPolicy,
    /// The token that a registration needs; `None`: none.
    pub initial_token: Option<Secret>,
    /// How many clients there may be that were registered.
    pub most: u64,
}

impl Endpoints {
    pub(super) async fn registration(&self, method: &Method, request: Request<Bytes>, peer: Peer) -> Answer {
        let Some(rules) = &self.settings.registration else { return not_served() };
        let outcome = match managed_client(&request) {
            Ok(Some(id)) if *method != Method::POST => self.manage(rules, (method, id), &request, peer).await,
            Ok(None) if *method == Method::POST => self.register(rules, &request, peer).await,
            Ok(Some(_)) => Ok(wrong_method("GET, HEAD, PUT, DELETE, OPTIONS")),
            Ok(None) => Ok(wrong_method("POST, OPTIONS")),
            Err(error) => Err(error),
        };
        outcome.unwrap_or_else(|error| {
            let mut answer = error.answer();
            if error.code == ErrorCode::InvalidToken {
                set(&mut answer, header::WWW_AUTHENTICATE, "Bearer realm=\"registration\", error=\"invalid_token\"");
            }
            answer
        })
    }

    async fn register(
        &self,
        rules: &RegistrationRules,
        request: &Request<Bytes>,
        peer: Peer,
    ) -> Result<Answer, OAuthError> {
        self.check_initial_token(rules, request, peer)?;
        let metadata = rules.policy.check(read(request)?)?;
        self.take_registration(peer)?;
        let random = &*self.issuer.random;
        let registration = Registration {
            id: ClientId::new(format!("{REGISTERED_PREFIX}{}", URL_SAFE_NO_PAD.encode(random.bytes::<16>()))),
            secret: metadata.has_secret().then(|| new_secret(random)),
            metadata,
            registered_at: self.issuer.clock.now(),
            seen: None,
        };
        let access_token = new_access_token(random);
        if !self.clients.register(&registration, TokenHash::of(access_token.expose()), rules.most).await? {
            tracing::warn!(most = rules.most, "a client is not registered: there are registration.max_clients already");
            let full = OAuthError::unavailable();
            return Err(OAuthError { description: "no more clients can be registered for now".into(), ..full });
        }
        self.record_registration("client_registered", &registration, peer);
        Ok(self.described(StatusCode::CREATED, &registration, access_token.expose()))
    }

    /// The initial access token (RFC 7591 §3), where one is needed.
    fn check_initial_token(
        &self,
        rules: &RegistrationRules,
        request: &Request<Bytes>,
        peer: Peer,
    ) -> Result<(), OAuthError> {
        let Some(expected) = &rules.initial_token else { return Ok(()) };
        self.check_failures(&self.limits.token_failures, None, peer)?;
        if bearer(request.headers()).is_some_and(|presented| expected.matches(presented)) {
            return Ok(());
        }
        self.count_failure(&self.limits.token_failures, None, peer);
        Err(OAuthError::new(ErrorCode::InvalidToken, "registration needs an initial access token"))
    }

    /// Takes one of the registrations and changes that an address may make.
    fn take_registration(&self, peer: Peer) -> Result<(), OAuthError> {
        let (limit, address, now) =
            (&self.limits.registration, Counted::address(peer.address), self.issuer.clock.now());
        limit.check(&address, now).map_err(|seconds| OAuthError {
            description: "too many registrations from this address, try again later".into(),
            ..OAuthError::too_many(seconds)
        })?;
        limit.count(address, now);
        Ok(())
    }

    fn record_registration(&self, event: &'static str, registration: &Registration, peer: Peer) {
        self.issuer.record(&AuditEvent {
            event,
            client_id: Some(registration.id.as_str()),
            scope: Some(&registration.metadata.scope.to_string()),
            address: Some(peer.address),
            ..AuditEvent::default()
        });
    }

    /// The client information response (RFC 7591 §3.2.1, RFC 7592 §3).
    fn described(&self, status: StatusCode, registration: &Registration, access_token: &str) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            client_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_secret: Option<&'a str>,
            client_id_issued_at: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_secret_expires_at: Option<u64>,
            registration_access_token: &'a str,
            registration_client_uri: String,
            #[serde(flatten)]
            metadata: &'a ClientMetadata,
        }
        let id = registration.id.as_str();
        let body = Body {
            client_id: id,
            client_secret: registration.secret.as_ref().map(Secret::expose),
            client_id_issued_at: registration.registered_at.secs(),
            client_secret_expires_at: registration.secret.is_some().then_some(0),
            registration_access_token: access_token,
            registration_client_uri: format!(
                "{}{METHOD_PATH}register_client?client_id={id}",
                self.settings.public_origin
            ),
            metadata: &registration.metadata,
        };
        let mut answer = json(status, &body);
        no_store(&mut answer);
        let client = registration.metadata.to_client(registration.id.clone(), None);
        answer.extensions_mut().insert(super::cors::AnswerOf(Arc::new(client)));
        answer
    }
}

/// Registration is off; the endpoint exists only so that nothing of the kind reaches ERPNext.
fn not_served() -> Answer {
    let error = OAuthError::invalid_request("client registration is switched off");
    error.with_status(StatusCode::NOT_FOUND).answer()
}

fn wrong_method(allow: &str) -> Answer {
    debug_assert!(allow.split(", ").all(|method| allowed_methods(Endpoint::Register).contains(method)));
    let error = OAuthError::invalid_request("this method is not allowed here");
    let mut answer = error.with_status(StatusCode::METHOD_NOT_ALLOWED).answer();
    set(&mut answer, header::ALLOW, allow);
    answer
}

/// The client that the query names: that alone, once.
fn managed_client(request: &Request<Bytes>) -> Result<Option<ClientId>, OAuthError> {
    let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else { return Ok(None) };
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((name, id)), None) if name == "client_id" => Ok(Some(ClientId::new(id))),
        _ => Err(OAuthError::invalid_request("the query may have client_id, once, and nothing else")),
    }
}

/// The metadata of a request whose body is JSON.
fn read(request: &Request<Bytes>) -> Result<RequestedMetadata, OAuthError> {
    if media_type(request.headers()) != Some("application/json") {
        let error = OAuthError::invalid_request("the content type must be application/json");
        return Err(error.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    object(request.body()).ok_or_else(|| {
        OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "the body must be a JSON object whose members have the types of RFC 7591",
        )
    })
}

/// A JSON object: for serde alone, an array of its members' values would do too.
fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    serde_json::from_value(Value::Object(object)).ok()
}

fn new_secret(random: &dyn Random) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(random.bytes::<32>()))
}

fn new_access_token(random: &dyn Random) -> Secret {
    Secret::new(format!("emp_ra_{}", URL_SAFE_NO_PAD.encode(random.bytes::<32>())))
}

impl From<InvalidMetadata> for OAuthError {
    fn from(invalid: InvalidMetadata) -> Self {
        match invalid {
            InvalidMetadata::RedirectUri(why) => Self::new(ErrorCode::InvalidRedirectUri, why),
            InvalidMetadata::Metadata(why) => Self::new(ErrorCode::InvalidClientMetadata, why),
        }
    }
}
