//! One event for each request. No query, no header's value, nothing of a body.

use std::borrow::Cow;

use pingora::proxy::Session;

use super::context::{Outcome, RequestContext};
use crate::{
    route::{Service, Target},
    telemetry::logging::ACCESS_TARGET,
};

/// On some versions of ERPNext the names of these documents are tokens.
const NAMED_BY_SECRETS: &str = "OAuth%20Bearer%20Token/";

/// The path of a request as it may be written anywhere.
pub(super) fn path(session: &Session) -> Cow<'_, str> {
    let raw = std::str::from_utf8(session.req_header().raw_path()).unwrap_or_default();
    let Ok(target) = Target::parse(raw) else { return Cow::Borrowed("-") };
    let path = target.canonical_path();
    let shown = path.find(NAMED_BY_SECRETS).and_then(|at| path.get(..at + NAMED_BY_SECRETS.len()));
    Cow::Owned(shown.unwrap_or(path).to_owned())
}

/// Writes the event.
pub(super) fn write(session: &Session, context: &RequestContext) {
    let status = session.response_written().map_or(0, |answer| answer.status.as_u16());
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
        method = %session.req_header().method,
        path = %path(session),
        status,
        route,
        detail,
        rule = context.terms.as_ref().and_then(|terms| terms.rule),
        client = token.map(|(token, _)| token.client.id.as_str()),
        user = token.map(|(token, _)| token.user.user.name.as_str()),
        grant = token.map(|(token, _)| token.grant.as_str()),
        cached = token.map(|(_, cached)| cached),
        sent = session.as_downstream().body_bytes_sent(),
        upstream_ms = context.answered_after.map(millis),
        ms = millis(context.started.elapsed()),
        "request"
    );
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
