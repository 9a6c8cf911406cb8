//! The protocol: types and rules of OAuth 2.0 and OpenID Connect. No IO, no clock, no randomness of its own, no `async`.

mod actor;
mod agent;
mod authorization_request;
mod client;
mod client_keys;
mod document_url;
mod dpop;
mod error;
mod ids;
mod login_hash;
pub mod pkce;
mod profile;
mod public_key;
mod redirect_uri;
mod registration;
mod resource;
mod response_type;
mod scope;
mod token;
mod user_code;

pub use actor::Actor;
pub use agent::{AgentTerms, DailyBudget};
pub use authorization_request::{AuthorizationRequest, Prompt, RedirectTarget};
pub use client::{
    Allowance, Allowances, Client, ClientAuthMethod, ClientMode, ClientSource, GrantType, IdTokenClaims, Pkce,
    SigningAlgorithm, UnknownWord,
};
pub use client_keys::{BadAssertion, BadKeys, CheckedAssertion, ClientKeys, KeySource, claimed_by_assertion};
pub use document_url::{BadDocumentUrl, DocumentUrl};
pub use dpop::{BadProof, DpopProof, ProofOf};
pub use error::ErrorCode;
pub use ids::{ClientId, GrantId, KeyId, SiteId, Subject, UserName};
pub use login_hash::LoginHasher;
pub use profile::{OpenedClaims, Profile, ProfileDetails, scope_of_claim, user_claims};
pub use public_key::{BadKey, KeyThumbprint, NoThumbprint, ProtectedHeader, PublicKey, SIGNATURE_ALGORITHMS};
pub use redirect_uri::{InvalidRedirectUri, RedirectUri};
pub use registration::{ClientMetadata, InvalidMetadata, RegistrationPolicy, RequestedMetadata, read_client_document};
pub use resource::{InvalidResource, Resources};
pub use response_type::{ResponseMode, ResponseType, UnknownResponseType};
pub use scope::{InvalidScope, Scope, Scopes};
pub use token::{
    MintedToken, Recognised, SHADOW_PREFIX, SignedAccessTokens, TOKEN_PREFIX, TokenHash, TokenKind, TokenMint,
};
pub use user_code::UserCode;
