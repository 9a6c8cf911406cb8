//! Our OAuth endpoints, on plain `http` types: no socket, no proxy. One file each; `respond` is the door for errors.

mod agents;
pub(crate) mod authorize;
mod browser;
mod client_auth;
mod connected_apps;
mod cors;
mod device;
mod discovery;
mod documents;
mod end_session;
mod forms;
mod hint;
mod introspect;
mod limits;
mod login;
mod pages;
pub(crate) mod parameters;
mod pushed;
mod registration;
mod respond;
mod revoke;
mod texts;
mod token;
mod token_exchange;
mod userinfo;

use std::{fmt, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};

use client_auth::CheckedClient;
pub use cors::Origins;
pub use discovery::METHOD_PATH;
pub use documents::DocumentClients;
pub use limits::{Allotment, Counted, Limit, LoginName};
pub use pages::Look;
pub use registration::RegistrationRules;
pub use respond::{Answer, OAuthError};

use self::parameters::{BadParameters, Parameters};
use crate::{
    access::AccessCheck,
    config::LoginPage,
    erpnext::ClientRegistry,
    fetch::KeySets,
    issuer::{Issuer, Logouts},
    oauth::{ErrorCode, LoginHasher, SigningAlgorithm},
    route::{CurrentRouter, Endpoint},
    secret::DerivedKey,
    telemetry::tally::Tally,
};

/// Larger bodies are refused with 413.
pub const MOST_BODY: usize = 64 * 1024;

/// What the endpoints need to know of the site.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// The public origin, without a slash: the issuer.
    pub public_origin: String,
    /// What the pages call the site.
    pub site_name: String,
    /// The algorithms that id_tokens may be signed with.
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// Origins whose scripts may read, besides those of clients.
    pub allowed_origins: Origins,
    /// How the pages look.
    pub look: Look,
    /// Where users log in.
    pub login_page: LoginPage,
    /// Introspection needs client credentials.
    pub introspection_needs_client: bool,
    /// Revocation needs client credentials.
    pub revocation_needs_client: bool,
    /// Whom the site lets register clients; `None`: nobody.
    pub registration: Option<RegistrationRules>,
    /// The rules, which give scopes their meaning.
    pub rules: Arc<CurrentRouter>,
}

/// The limits of `[limits]`.
#[derive(Debug)]
pub struct Limits {
    /// Failed client authentications and failed grants.
    pub token_failures: Limit,
    /// "Not active" answers to callers without credentials.
    pub introspection_misses: Limit,
    /// Authorization requests, those of devices, and what else browsers ask for.
    pub authorize: Limit,
    /// Registrations of clients, and changes of them.
    pub registration: Limit,
    /// Failed logins that pass on their way to the upstream.
    pub login_failures: Limit,
    /// Wrong codes of devices that users type.
    pub user_codes: Limit,
}

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address, as far as proxies that are trusted say.
    pub address: IpAddr,
}

/// The endpoints of one site.
pub struct Endpoints {
    /// Issues and ends grants.
    pub issuer: Arc<Issuer>,
    /// Ends login sessions.
    pub logouts: Arc<Logouts>,
    /// Reads access tokens.
    pub access: Arc<AccessCheck>,
    /// The registered clients.
    pub clients: Arc<ClientRegistry>,
    /// The keys that clients publish.
    pub key_sets: KeySets,
    /// The clients that documents describe; `None`: none are taken.
    pub documents: Option<DocumentClients>,
    /// The hash of login sessions.
    pub logins: LoginHasher,
    /// Keys the tokens in our forms.
    pub form_key: DerivedKey,
    /// The limits.
    pub limits: Limits,
    /// Counts what peers can make happen at will, for the audit trail.
    pub tally: Arc<Tally>,
    /// What is known of the site.
    pub settings: EndpointSettings,
}

impl Endpoints {
    /// Answers a request for one of the endpoints. The body is whole, and at most [`MOST_BODY`] bytes.
    pub async fn serve(&self, endpoint: Endpoint, request: Request<Bytes>, peer: Peer) -> Answer {
        let allow = allowed_methods(endpoint);
        // The body of an answer to HEAD is for its length alone: whoever writes the answer leaves it out.
        let head = *request.method() == Method::HEAD;
        let method = if head { Method::GET } else { request.method().clone() };
        if method == Method::OPTIONS {
            return self.preflight(endpoint, allow, request.headers());
        }
        if !allow.split(", ").any(|name| name == method.as_str()) {
            let error = OAuthError::invalid_request("this method is not allowed here");
            let mut answer = error.with_status(StatusCode::METHOD_NOT_ALLOWED).answer();
            respond::set(&mut answer, header::ALLOW, allow);
            return answer;
        }
        let headers = request.headers().clone();
        let mut answer = match self.check_browser(endpoint, peer) {
            Ok(()) => self.dispatch(endpoint, &method, request, peer).await,
            Err(error) => self.page_or_json(&headers, &error),
        };
        self.open_to_origin(endpoint, &headers, &mut answer);
        answer
    }

    /// What is for browsers costs the store a row or ERPNext a call, whoever asks: each address may do so much of it.
    fn check_browser(&self, endpoint: Endpoint, peer: Peer) -> Result<(), OAuthError> {
        let costs = matches!(
            endpoint,
            Endpoint::Authorize
                | Endpoint::ConnectedApps
                | Endpoint::Login
                | Endpoint::EndSession
                | Endpoint::DeviceAuthorization
                | Endpoint::Device
        );
        if costs { self.count_browser(peer) } else { Ok(()) }
    }

    /// Counts what an address does that costs the store a row or ERPNext a call, as far as it may.
    fn count_browser(&self, peer: Peer) -> Result<(), OAuthError> {
        let (limit, address, now) = (&self.limits.authorize, Counted::address(peer.address), self.issuer.clock.now());
        limit.check(&address, now).map_err(OAuthError::too_many)?;
        limit.count(address, now);
        Ok(())
    }

    async fn dispatch(&self, endpoint: Endpoint, method: &Method, request: Request<Bytes>, peer: Peer) -> Answer {
        match endpoint {
            Endpoint::Authorize => self.authorize(method, request, peer).await,
            Endpoint::Approve => self.approve(request, peer).await,
            Endpoint::ConnectedApps => self.connected_apps(method, request, peer).await,
            Endpoint::Login => self.login(method, request, peer).await,
            Endpoint::EndSession => self.end_session(method, request, peer).await,
            Endpoint::PushedRequest => self.push_request(request, peer).await.unwrap_or_else(|error| error.answer()),
            Endpoint::DeviceAuthorization => {
                self.device_authorization(request, peer).await.unwrap_or_else(|error| error.answer())
            }
            Endpoint::Device => self.device(method, request, peer).await,
            Endpoint::Token => self.token(request, peer).await,
            Endpoint::Revoke => self.revoke(request, peer).await.unwrap_or_else(|error| error.answer()),
            Endpoint::Userinfo => self.userinfo(&request).await,
            Endpoint::Introspect => self.introspect(request, peer).await.unwrap_or_else(|error| error.answer()),
            Endpoint::Register => self.registration(method, request, peer).await,
            Endpoint::Discovery => self.discovery(),
            Endpoint::ResourceMetadata => self.resource_metadata(request.uri().path()),
            Endpoint::Jwks => self.jwks(),
        }
    }

    /// Refuses a peer, or a client as seen from it, that has failed too often.
    fn check_failures(
        &self,
        limit: &Limit,
        client: Option<&crate::oauth::ClientId>,
        peer: Peer,
    ) -> Result<(), OAuthError> {
        let now = self.issuer.clock.now();
        limit.check(&Counted::address(peer.address), now).map_err(OAuthError::too_many)?;
        if let Some(client) = client {
            let counted = Counted::client_from(client.clone(), peer.address);
            limit.check(&counted, now).map_err(OAuthError::too_many)?;
        }
        Ok(())
    }

    fn count_failure(&self, limit: &Limit, client: Option<&crate::oauth::ClientId>, peer: Peer) {
        let now = self.issuer.clock.now();
        limit.count(Counted::address(peer.address), now);
        if let Some(client) = client {
            limit.count(Counted::client_from(client.clone(), peer.address), now);
        }
    }

    /// Counts a client authentication that failed; the answer to it. Past what the client as a whole may fail, from
    /// however many addresses, who guesses is told to wait, whatever the guess was worth. Right credentials never are.
    fn refused_client(&self, error: OAuthError, client: Option<&crate::oauth::ClientId>, peer: Peer) -> OAuthError {
        if error.code != ErrorCode::InvalidClient {
            return error;
        }
        let (limit, now) = (&self.limits.token_failures, self.issuer.clock.now());
        self.count_failure(limit, client, peer);
        let Some(client) = client else { return error };
        let counted = Counted::Client(client.clone());
        let checked = limit.check(&counted, now);
        limit.count(counted, now);
        checked.map_or_else(OAuthError::too_many, |()| error)
    }
}

const fn allowed_methods(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Device
        | Endpoint::Authorize
        | Endpoint::ConnectedApps
        | Endpoint::Login
        | Endpoint::EndSession
        | Endpoint::Userinfo => "GET, HEAD, POST, OPTIONS",
        Endpoint::DeviceAuthorization
        | Endpoint::PushedRequest
        | Endpoint::Approve
        | Endpoint::Token
        | Endpoint::Revoke
        | Endpoint::Introspect => "POST, OPTIONS",
        Endpoint::Register => "GET, HEAD, POST, PUT, DELETE, OPTIONS",
        Endpoint::Discovery | Endpoint::ResourceMetadata | Endpoint::Jwks => "GET, HEAD, OPTIONS",
    }
}

/// The form of a POST endpoint: of the named content type, nothing of it in the query, nothing repeated.
fn form(request: &Request<Bytes>) -> Result<Parameters, OAuthError> {
    refuse_query(request)?;
    if media_type(request.headers()) != Some("application/x-www-form-urlencoded") {
        return Err(wrong_content_type());
    }
    Parameters::urlencoded(request.body()).and_then(Parameters::without_repetition).map_err(Into::into)
}

/// Parameters in the query of a form endpoint end up in logs: refused (decision 19).
fn refuse_query(request: &Request<Bytes>) -> Result<(), OAuthError> {
    match request.uri().query() {
        None | Some("") => Ok(()),
        Some(_) => Err(OAuthError::invalid_request("parameters belong into the body, not into the query")),
    }
}

fn wrong_content_type() -> OAuthError {
    OAuthError::invalid_request("the content type must be application/x-www-form-urlencoded")
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// The content type without its parameters, in lower case where it matters to us.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let name = value.split(';').next().unwrap_or_default().trim();
    let known = ["application/x-www-form-urlencoded", "multipart/form-data", "application/json"];
    known.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

impl From<BadParameters> for OAuthError {
    fn from(bad: BadParameters) -> Self {
        match bad {
            BadParameters::Malformed => Self::invalid_request("the parameters can't be read: not UTF-8, or malformed"),
            BadParameters::Repeated(_) => Self::invalid_request("a parameter is repeated"),
        }
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("settings", &self.settings).finish_non_exhaustive()
    }
}
