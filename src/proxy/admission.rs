//! Whether a request may go upstream: on whose behalf, and with which body.

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, Version, header::CONTENT_LENGTH, header::COOKIE, header::TRANSFER_ENCODING};
use pingora::proxy::Session;

use super::{
    Gateway, agents,
    body::{BodyHead, BodyWatch},
    context::{Outcome, RequestContext},
    local,
    refuse::Refused,
};
use crate::{
    access::{Denial, Permit, Proof, Sent},
    endpoints::{Limit, LoginName},
    http1::Fields,
    oauth::Resources,
    route::{Refusal, Route, Router, Seen, Service, Tells, Terms},
};

/// A request that is to go upstream, as far as its head tells.
pub(super) struct Applicant {
    pub(super) terms: Terms,
    pub(super) token_in_query: bool,
    /// The rules that the terms are from.
    pub(super) router: Arc<Router>,
}

/// A request that asks to be let through: its head, and its body as far as that is read here.
pub(super) trait Applying: Send {
    /// How its header fields are kept.
    type Fields: Fields + Sync;

    /// Its header fields.
    fn fields(&self) -> &Self::Fields;

    /// Its method.
    fn method(&self) -> &Method;

    /// Its target, as it came.
    fn target(&self) -> &[u8];

    /// Whether it has a body.
    fn has_body(&mut self) -> bool;

    /// Whether what follows its head may be no body, since it asks for an upgrade.
    fn upgrades(&self) -> bool;

    /// Reads a piece of the body, of which so many bytes are to come still. `None`: it has ended.
    fn read(&mut self, left: usize) -> impl Future<Output = Result<Option<Bytes>, BrokenBody>> + Send;
}

/// A body broke off, or its framing is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BrokenBody;

/// What Pingora keeps of a body that has been read before the request goes upstream. It sends that; the whole takes its
/// place in [`BodyWatch::pass`].
const KEPT_BY_PINGORA: usize = 64 * 1024;

impl Applying for Session {
    type Fields = HeaderMap;

    fn fields(&self) -> &HeaderMap {
        &self.req_header().headers
    }

    fn method(&self) -> &Method {
        &self.req_header().method
    }

    fn target(&self) -> &[u8] {
        self.req_header().raw_path()
    }

    fn has_body(&mut self) -> bool {
        let request = self.req_header();
        let framed = request.headers.contains_key(CONTENT_LENGTH) || request.headers.contains_key(TRANSFER_ENCODING);
        (framed || request.version >= Version::HTTP_2) && !self.as_downstream_mut().is_body_empty()
    }

    fn upgrades(&self) -> bool {
        self.as_downstream().is_upgrade_req()
    }

    async fn read(&mut self, left: usize) -> Result<Option<Bytes>, BrokenBody> {
        // What is read before this Pingora forgets: less than its bound is to come, and at least one byte.
        if left <= KEPT_BY_PINGORA {
            self.as_downstream_mut().enable_retry_buffering();
        }
        self.as_downstream_mut().read_request_body().await.map_err(|_| BrokenBody)
    }
}

impl Gateway {
    /// Lets a request go upstream, or not.
    pub(super) async fn admit<A: Applying>(
        &self,
        request: &mut A,
        context: &mut RequestContext,
        applicant: Applicant,
    ) -> Result<(), Refused> {
        if applicant.terms.sid_in_query && request.fields().has(&COOKIE) {
            return Err(Refused::SidBesideCookie);
        }
        if applicant.terms.may_log_in {
            self.check_logins(context)?;
        }
        let mut body = BodyHead::of(request, &self.room)?;
        if let Some(body) = &mut body {
            body.may_log_in = applicant.terms.may_log_in;
        }
        let has_body = body.is_some();
        // Apart: Pingora moves what every request waits on, and most have no body.
        let (mut checked, terms) = match body {
            Some(mut body) if applicant.router.has_rules() => {
                Box::pin(self.judge(request, context, applicant, &mut body)).await?
            }
            body => {
                let sent = sent(request, applicant.token_in_query);
                let checked = self.check(request.fields(), context, &applicant.terms, sent).await;
                if let Some(mut body) = body.filter(|_| checked.is_ok()) {
                    Box::pin(self.watch(request, context, &mut body)).await?;
                }
                (checked, applicant.terms)
            }
        };
        if context.may_log_in() || terms.may_log_in {
            let by_query = || {
                let target = local::target(request.target()).ok()?;
                target.query().login_name().map(|name| LoginName::new(&name))
            };
            context.login = context.body.as_ref().and_then(|body| body.login()).or_else(by_query);
            self.check_logins(context)?;
        }
        let confined = matches!(&checked, Ok(Some(permit)) if permit.token.resources.confine());
        // The one method that a `sid` in the query may ask for is no way to the others; nor is the realtime server's path, nor
        // the resource that a token is for.
        if (confined || terms.sid_in_query || terms.service == Service::Realtime)
            && let Some(body) = &mut context.body
        {
            if body.seen().call && confined {
                return Err(Refused::Access(Denial::OtherResource));
            }
            if body.seen().call {
                return Err(Refused::Route(Refusal::SidInQuery));
            }
            body.guard(Seen { call: true, method: false });
        }
        let effect = agents::check(&mut checked, &terms, request, has_body);
        self.count(&checked, context);
        let permit = checked.map_err(|denial| refused(denial, &terms, request))?;
        self.spend(permit.as_ref().zip(effect), context)?;
        context.permit = permit;
        context.outcome = Outcome::Forwarded(terms.service);
        context.terms = Some(terms);
        Ok(())
    }

    /// Lets a request go upstream whose body may tell what the rules are to be asked about.
    async fn judge<A: Applying>(
        &self,
        request: &mut A,
        context: &mut RequestContext,
        applicant: Applicant,
        body: &mut BodyHead,
    ) -> Result<(Result<Option<Permit>, Denial>, Terms), Refused> {
        let Applicant { mut terms, token_in_query, router } = applicant;
        let opening = terms.with_any_token();
        let sent = sent(request, token_in_query);
        let checked = self.check(request.fields(), context, &opening, sent).await;
        let Ok(permit) = &checked else { return Ok((checked, terms)) };
        let proven = permit.is_some();
        let scopes = permit.as_ref().map(|permit| &permit.token.scopes);
        let asks = terms.tells == Tells::Documents && router.asks_for_documents(scopes);
        if asks && !body.is_held() {
            return Err(body.not_held());
        }
        self.watch(request, context, body).await?;
        let choices = Seen { call: true, method: terms.tells == Tells::Method };
        if body.is_held() {
            let seen = context.seen_in_body();
            if asks || seen.call || (seen.method && choices.method) {
                terms = terms_by_body(request, context, body, &router)?;
            }
        } else if let Some(body) = &mut context.body {
            body.guard(choices);
        }
        if terms == opening {
            return Ok((checked, terms));
        }
        // A proof counts once, and was for this request.
        let again = if proven {
            Sent { token_in_query, proof_of: Proof::WasGiven }
        } else {
            self::sent(request, token_in_query)
        };
        Ok((self.check(request.fields(), context, &terms, again).await, terms))
    }

    /// Judges the body, or sees to it that it is judged as it streams by.
    async fn watch<A: Applying>(
        &self,
        request: &mut A,
        context: &mut RequestContext,
        body: &mut BodyHead,
    ) -> Result<(), Refused> {
        let watch = context.body.insert(Box::new(BodyWatch::new(&body.kind)));
        if body.is_held() { watch.hold(request, body).await } else { Ok(()) }
    }

    pub(super) async fn check(
        &self,
        fields: &impl Fields,
        context: &RequestContext,
        terms: &Terms,
        sent: Sent<'_>,
    ) -> Result<Option<Permit>, Denial> {
        let check = self.parts.access.check(terms, fields, sent, context.now);
        AssertUnwindSafe(check).catch_unwind().await.unwrap_or(Err(Denial::Broken))
    }

    /// Whether the peer may try another login.
    pub(super) fn check_logins(&self, context: &RequestContext) -> Result<(), Refused> {
        let checked = self.login_failures().check_login(context.login.as_ref(), context.peer.address, context.now);
        checked.map_err(Refused::TooManyLogins)
    }

    pub(super) fn login_failures(&self) -> &Limit {
        &self.parts.endpoints.limits.login_failures
    }

    pub(super) fn count(&self, checked: &Result<Option<Permit>, Denial>, context: &RequestContext) {
        let metrics = &self.parts.metrics;
        match checked {
            Ok(Some(permit)) if permit.cached => {
                metrics.access.permitted();
                metrics.cache.hit();
            }
            Ok(Some(_)) => {
                metrics.access.permitted();
                metrics.cache.miss();
            }
            Ok(None) => {}
            Err(denial) => {
                metrics.access.denied(denial.reason());
                self.parts.tally.count("access_denied", Some(denial.reason()), context.peer.address);
                if matches!(denial, Denial::MalformedToken | Denial::ForeignToken | Denial::InactiveToken) {
                    metrics.cache.unknown();
                }
            }
        }
    }
}

/// A refusal, which names the resource that the path is, if it is one of its own.
fn refused(denial: Denial, terms: &Terms, request: &impl Applying) -> Refused {
    let path = || local::target(request.target()).ok().map(|target| target.path().to_owned());
    // What can't be asked for as a resource can't be named as one.
    let named = |path: &String| Resources::parse(std::iter::once(path.as_str()), "").is_ok();
    match terms.resource.then(path).flatten().filter(named) {
        Some(path) => Refused::AccessTo(denial, path),
        None => Refused::Access(denial),
    }
}

/// A request as the check is to see it first.
fn sent(request: &impl Applying, token_in_query: bool) -> Sent<'_> {
    Sent { token_in_query, proof_of: Proof::Of(request.method(), request.target()) }
}

/// The terms of a request whose body is held.
fn terms_by_body(
    request: &impl Applying,
    context: &RequestContext,
    body: &BodyHead,
    router: &Router,
) -> Result<Terms, Refused> {
    let fields = context.body.as_ref().ok_or(Refused::Internal)?.fields(&body.kind)?;
    let target = local::target(request.target())?;
    match router.route_with(request.method(), &target, Some(&fields)) {
        Route::Upstream(terms) => Ok(terms),
        Route::Refuse(refusal) => Err(Refused::Route(refusal)),
        Route::Endpoint(_) => Err(Refused::Internal),
    }
}
