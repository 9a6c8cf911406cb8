//! What a request of an agent needs besides what the rules ask for: the scope for what it does, and something left of its
//! budget. With an agent's scopes and no others, the first holds for other clients, too.

use http::HeaderName;

use super::{Gateway, admission::Applying, context::RequestContext, local, refuse::Refused};
use crate::{
    access::{
        Denial, Permit,
        agents::{Effect, UsedUp, check_scope},
    },
    http1::Fields,
    route::{Terms, may_write},
    telemetry::audit::AuditEvent,
};

/// Headers that make a request another one elsewhere. Frappe knows of none and none is forwarded, but who sends one means it.
static OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// Denies what a token that is held back lacks the scope for; what its request does. Nothing of other tokens is looked at.
pub(super) fn check(
    checked: &mut Result<Option<Permit>, Denial>,
    terms: &Terms,
    request: &impl Applying,
    has_body: bool,
) -> Option<Effect> {
    let Ok(Some(permit)) = checked else { return None };
    permit.token.restraint.as_ref()?;
    let effect = effect(terms, request, has_body);
    match check_scope(&permit.token.scopes, effect) {
        Ok(()) => Some(effect),
        Err(denial) => {
            *checked = Err(denial);
            None
        }
    }
}

/// What a request does. What can't be told is a write.
fn effect(terms: &Terms, request: &impl Applying, has_body: bool) -> Effect {
    if terms.reads {
        return Effect::Read;
    }
    // Beside a GET a body may name the method that ERPNext runs.
    let overridden = has_body || OVERRIDES.iter().any(|name| request.fields().has(name));
    match local::target(request.target()) {
        Ok(target) if !overridden && !may_write(request.method(), &target) => Effect::Read,
        Ok(_) | Err(_) => Effect::Write,
    }
}

impl Gateway {
    /// Takes a request of an agent out of its budget.
    pub(super) fn spend(&self, done: Option<(&Permit, Effect)>, context: &RequestContext) -> Result<(), Refused> {
        let Some((permit, effect)) = done else { return Ok(()) };
        let Some(agent) = permit.token.restraint.as_ref().and_then(|held| held.agent()) else { return Ok(()) };
        agent.spend(effect, context.now).map_err(|used_up| {
            self.tell(permit, used_up);
            Refused::BudgetUsedUp(used_up)
        })
    }

    /// Counts a request for which nothing is left; the first of a day is written down.
    fn tell(&self, permit: &Permit, used_up: UsedUp) {
        let budget = used_up.budget.as_str();
        self.parts.metrics.agents.refused(budget);
        if used_up.first {
            let client = permit.token.client.id.as_str();
            tracing::warn!(client, budget, "an agent has used up its budget of the day");
            self.parts.endpoints.issuer.record(&AuditEvent {
                event: "agent_budget_used_up",
                reason: Some(budget),
                client_id: Some(client),
                ..AuditEvent::default()
            });
        }
    }
}
