//! Which of our endpoints a path names, and which paths are ERPNext's own OAuth that nobody may reach past us.

use super::target::segments;

/// Everything that Frappe's OAuth module offers has a name that begins so; with the dot, since `oauth2_logins.` is its
/// social login and none of our business.
pub const RESERVED_METHODS: &str = "frappe.integrations.oauth2.";

/// An endpoint that the gateway serves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// RFC 6749 §3.1
    Authorize,
    /// The consent decision.
    Approve,
    /// Which applications may act for a user.
    ConnectedApps,
    /// The gateway's own login page.
    Login,
    /// OpenID Connect RP-Initiated Logout 1.0 §2
    EndSession,
    /// RFC 9126
    PushedRequest,
    /// RFC 8628 §3.1
    DeviceAuthorization,
    /// The page for the user code (RFC 8628 §3.3).
    Device,
    /// RFC 6749 §3.2
    Token,
    /// RFC 7009
    Revoke,
    /// OpenID Connect Core §5.3
    Userinfo,
    /// RFC 7662
    Introspect,
    /// RFC 7591
    Register,
    /// OpenID Connect Discovery, RFC 8414
    Discovery,
    /// RFC 9728
    ResourceMetadata,
    /// RFC 7517
    Jwks,
}

/// What a path is to the gateway's own part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// An endpoint.
    Endpoint(Endpoint),
    /// A spelling of ERPNext's own OAuth that is not served: 404.
    Closed,
    /// None of it.
    No,
}

impl Endpoint {
    /// The name of it in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Approve => "approve",
            Self::ConnectedApps => "connected_apps",
            Self::Login => "login",
            Self::EndSession => "end_session",
            Self::PushedRequest => "pushed_request",
            Self::DeviceAuthorization => "device_authorization",
            Self::Device => "device",
            Self::Token => "token",
            Self::Revoke => "revoke",
            Self::Userinfo => "userinfo",
            Self::Introspect => "introspect",
            Self::Register => "register",
            Self::Discovery => "discovery",
            Self::ResourceMetadata => "resource_metadata",
            Self::Jwks => "jwks",
        }
    }

    /// The endpoint of a method under [`RESERVED_METHODS`], by the rest of its name; Frappe has some under two.
    fn of_method(name: &str) -> Option<Self> {
        match name {
            "authorize" => Some(Self::Authorize),
            "approve" => Some(Self::Approve),
            "connected_apps" => Some(Self::ConnectedApps),
            "login" => Some(Self::Login),
            "end_session" => Some(Self::EndSession),
            "pushed_authorization_request" => Some(Self::PushedRequest),
            "device_authorization" => Some(Self::DeviceAuthorization),
            "device" => Some(Self::Device),
            "get_token" => Some(Self::Token),
            "revoke_token" => Some(Self::Revoke),
            "openid_profile" => Some(Self::Userinfo),
            "introspect_token" => Some(Self::Introspect),
            "register_client" => Some(Self::Register),
            "openid_configuration" | "get_openid_configuration" => Some(Self::Discovery),
            _ => None,
        }
    }

    /// What a decoded path is.
    pub(super) fn of_path(path: &str) -> Own {
        if path.starts_with("/api/") {
            of_api(path)
        } else if path.starts_with("/.well-known/") {
            of_well_known(path)
        } else if names_reserved_in_other_letters(path) {
            Own::Closed
        } else {
            Own::No
        }
    }
}

/// `/api/method/M`, `/api/v1/method/M`, `/api/v2/method/M`, and anything behind them.
fn of_api(path: &str) -> Own {
    let mut rest = segments(path).skip(1).peekable();
    if matches!(rest.peek(), Some(&("v1" | "v2"))) {
        rest.next();
    }
    if rest.next() != Some("method") {
        return Own::No;
    }
    let Some(first) = rest.next() else { return Own::No };
    match (first.strip_prefix(RESERVED_METHODS), rest.next()) {
        (Some(name), None) => Endpoint::of_method(name).map_or(Own::Closed, Own::Endpoint),
        (Some(_), Some(_)) => Own::Closed,
        (None, second) if names_reserved(first) || second.is_some_and(names_reserved) => Own::Closed,
        (None, _) => Own::No,
    }
}

/// ERPNext tells letters apart in a path; whatever stands between may not.
fn names_reserved_in_other_letters(path: &str) -> bool {
    path.get(.."/api/".len()).is_some_and(|start| start.eq_ignore_ascii_case("/api/"))
        && path.to_ascii_lowercase().contains(RESERVED_METHODS)
}

fn of_well_known(path: &str) -> Own {
    let mut rest = segments(path).skip(1);
    let (Some(name), below) = (rest.next(), rest.next().is_some()) else { return Own::No };
    let endpoint = match name {
        "openid-configuration" | "oauth-authorization-server" => Endpoint::Discovery,
        "oauth-protected-resource" => return Own::Endpoint(Endpoint::ResourceMetadata),
        "jwks.json" => Endpoint::Jwks,
        _ => return Own::No,
    };
    if below { Own::Closed } else { Own::Endpoint(endpoint) }
}

/// Whether a method is one of [`RESERVED_METHODS`]. White space before it is no way around.
pub(super) fn names_reserved(method: &str) -> bool {
    method.trim_start().starts_with(RESERVED_METHODS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_served_spelling_names_its_endpoint() {
        for prefix in ["/api/method", "/api/v1/method", "/api/v2/method"] {
            for end in ["", "/"] {
                let path = |name: &str| format!("{prefix}/{RESERVED_METHODS}{name}{end}");
                assert_eq!(Endpoint::of_path(&path("authorize")), Own::Endpoint(Endpoint::Authorize));
                assert_eq!(Endpoint::of_path(&path("get_openid_configuration")), Own::Endpoint(Endpoint::Discovery));
            }
        }
        for (path, endpoint) in [
            ("/.well-known/openid-configuration", Endpoint::Discovery),
            ("/.well-known/oauth-authorization-server", Endpoint::Discovery),
            ("/.well-known/oauth-protected-resource", Endpoint::ResourceMetadata),
            ("/.well-known/oauth-protected-resource/api/resource", Endpoint::ResourceMetadata),
            ("/.well-known/jwks.json", Endpoint::Jwks),
        ] {
            assert_eq!(Endpoint::of_path(path), Own::Endpoint(endpoint), "{path}");
        }
    }

    #[test]
    fn every_other_spelling_of_a_reserved_method_is_closed() {
        for path in [
            "/api/method/frappe.integrations.oauth2.get_token/x",
            "/api/method/frappe.integrations.oauth2.",
            "/api/method/frappe.integrations.oauth2.handle_wellknown",
            "/api/method/ frappe.integrations.oauth2.get_token",
            "/api/v2/method/User/frappe.integrations.oauth2.get_token",
            "/.well-known/openid-configuration/x",
            "/API/method/frappe.integrations.oauth2.get_token",
        ] {
            assert_eq!(Endpoint::of_path(path), Own::Closed, "{path}");
        }
    }

    #[test]
    fn what_only_resembles_it_is_not_ours() {
        for path in [
            "/api/method/frappe.integrations.oauth2_logins.login_via_github",
            "/api/method/frappe.integrations.oauth2",
            "/api/resource/frappe.integrations.oauth2.get_token",
            "/.well-known/change-password",
            "/.well-known/",
            "/api/method",
        ] {
            assert_eq!(Endpoint::of_path(path), Own::No, "{path}");
        }
    }
}
