//! One event for each request. No query, no header's value, nothing of a body.

use std::borrow::Cow;

use http::Method;
use pingora::proxy::Session;

use super::context::{Outcome, RequestContext};
use crate::{
    oauth::TOKEN_PREFIX,
    route::{Service, Target},
    telemetry::logging::ACCESS_TARGET,
};

/// On some versions of ERPNext the names of these documents are tokens; as Desk and the API spell them, in lower case.
const NAMED_BY_SECRETS: [&str; 4] =
    ["oauth%20bearer%20token/", "oauth-bearer-token/", "oauth%20authorization%20code/", "oauth-authorization-code/"];

/// What is written of a request besides its context.
pub(super) struct Served<'r> {
    pub(super) method: &'r Method,
    /// As it came.
    pub(super) target: &'r [u8],
    /// 0: there was no answer.
    pub(super) status: u16,
    /// Bytes of the answer's body, as they went.
    pub(super) sent: usize,
}

impl<'r> Served<'r> {
    /// One that Pingora has served.
    pub(super) fn of(session: &'r Session) -> Self {
        Self {
            method: &session.req_header().method,
            target: session.req_header().raw_path(),
            status: session.response_written().map_or(0, |answer| answer.status.as_u16()),
            sent: session.as_downstream().body_bytes_sent(),
        }
    }
}

/// The path of a request as it may be written anywhere.
pub(super) fn path(target: &[u8]) -> Cow<'_, str> {
    let raw = std::str::from_utf8(target).unwrap_or_default();
    let Ok(target) = Target::parse(raw) else { return Cow::Borrowed("-") };
    Cow::Owned(shown(target.canonical_path()).to_owned())
}

/// The part of a path that tells no secret.
fn shown(path: &str) -> &str {
    let lower = path.to_ascii_lowercase();
    let named = NAMED_BY_SECRETS.iter().filter_map(|name| lower.find(name).map(|at| at + name.len()));
    let token = lower.find(&format!("/{TOKEN_PREFIX}")).map(|at| at + 1);
    named.chain(token).min().and_then(|end| path.get(..end)).unwrap_or(path)
}

/// Writes what went wrong between us and ERPNext, by its kind alone.
pub(super) fn write_failure((source, kind): (&str, &str), context: &RequestContext) {
    tracing::error!(
        request_id = context.request_id.to_str().unwrap_or_default(),
        kind,
        source,
        "a request could not be forwarded"
    );
}

/// Writes the event.
pub(super) fn write(served: &Served<'_>, context: &RequestContext) {
    let (route, detail) = match context.outcome {
        Outcome::Pending => ("broken", ""),
        Outcome::Endpoint(endpoint) => ("endpoint", endpoint),
        Outcome::Refused(reason) => ("refused", reason),
        Outcome::Forwarded(Service::Web) => ("upstream", ""),
        Outcome::Forwarded(Service::Realtime) => ("realtime", ""),
    };
    let token = context.permit.as_ref().map(|permit| (&permit.token, permit.cached));
    tracing::info!(
        target: ACCESS_TARGET,
        request_id = context.request_id.to_str().unwrap_or_default(),
        peer = %context.peer.address,
        method = %served.method,
        path = %path(served.target),
        status = served.status,
        route,
        detail,
        rule = context.terms.as_ref().and_then(|terms| terms.rule),
        client = token.map(|(token, _)| token.client.id.as_str()),
        user = token.map(|(token, _)| token.user.user.name.as_str()),
        grant = token.map(|(token, _)| token.grant.as_str()),
        cached = token.map(|(_, cached)| cached),
        sent = served.sent,
        upstream_ms = context.answered_after.map(millis),
        ms = millis(context.started.elapsed()),
        "request"
    );
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_path_is_cut_where_a_token_begins() {
        for (path, expected) in [
            ("/api/resource/OAuth%20Bearer%20Token/abc", "/api/resource/OAuth%20Bearer%20Token/"),
            ("/app/oauth-bearer-token/emp_sh_secret", "/app/oauth-bearer-token/"),
            ("/app/OAuth-Authorization-Code/abc", "/app/OAuth-Authorization-Code/"),
            ("/x/EMP_AT_abc/y", "/x/"),
            ("/api/resource/Customer", "/api/resource/Customer"),
        ] {
            assert_eq!(shown(path), expected, "{path}");
        }
    }
}
