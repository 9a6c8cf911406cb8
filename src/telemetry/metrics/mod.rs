//! Every metric's name, and a handle for each part of the gateway with a method for each event. Label values are ours,
//! never a peer's; what is counted for each request is resolved beforehand.

mod process;
mod register;
mod upstream;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec, IntGauge, TextEncoder};

use self::{
    process::ProcessMetrics,
    register::{ReasonCounters, Register},
};
pub use upstream::{ServerMetrics, UpstreamMetrics};

use super::logging;

/// All metrics of the process; made once, handed down as its handles.
pub struct Metrics {
    /// The bearer check.
    pub access: AccessMetrics,
    /// The budgets of agents.
    pub agents: AgentMetrics,
    /// The cache of tokens.
    pub cache: CacheMetrics,
    /// The endpoints that the gateway serves itself.
    pub endpoints: EndpointMetrics,
    /// The lax behaviours that clients still need.
    pub compat: CompatMetrics,
    /// Connections, and requests refused before anything looked at them.
    pub edge: EdgeMetrics,
    /// Forwarded requests.
    pub upstream: UpstreamMetrics,
    /// The gateway's own calls to ERPNext.
    pub erpnext: ErpnextMetrics,
    /// Clients that are told of logouts.
    pub logouts: LogoutMetrics,
    log_dropped: IntCounter,
    register: Register,
    process: Mutex<ProcessMetrics>,
}

impl Metrics {
    /// All of them, at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let register = Register::new();
        register.build_info();
        Arc::new(Self {
            access: AccessMetrics::new(&register),
            agents: AgentMetrics::new(&register),
            cache: CacheMetrics::new(&register),
            endpoints: EndpointMetrics::new(&register),
            compat: CompatMetrics::new(&register),
            edge: EdgeMetrics::new(&register),
            upstream: UpstreamMetrics::new(&register),
            erpnext: ErpnextMetrics::new(&register),
            logouts: LogoutMetrics::new(&register),
            log_dropped: register.counter(
                "empress_log_dropped_total",
                "Requests that the access log does not have, because they came faster than it was read",
            ),
            process: Mutex::new(ProcessMetrics::new(&register)),
            register,
        })
    }

    /// The values now, in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.refresh();
        let dropped = u64::try_from(logging::dropped_lines()).unwrap_or(u64::MAX);
        self.log_dropped.inc_by(dropped.saturating_sub(self.log_dropped.get()));
        drop(process);
        TextEncoder::new().encode_to_string(&self.register.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics can't be written");
            String::new()
        })
    }
}

/// The bearer check.
#[derive(Clone)]
pub struct AccessMetrics {
    permitted: IntCounter,
    denied: ReasonCounters,
    ended: IntCounter,
}

impl AccessMetrics {
    fn new(register: &Register) -> Self {
        Self {
            permitted: register.counter("empress_access_permitted_total", "Requests whose bearer token was accepted"),
            denied: register.reasons("empress_access_denied_total", "Requests refused by the bearer check, by reason"),
            ended: register.counter(
                "empress_access_ended_total",
                "Websockets and long answers that ended because their token was not good any more",
            ),
        }
    }

    /// A request's token was accepted.
    pub fn permitted(&self) {
        self.permitted.inc();
    }

    /// A request was refused.
    pub fn denied(&self, reason: &'static str) {
        self.denied.inc(reason);
    }

    /// What a token had opened was ended with it.
    pub fn ended(&self) {
        self.ended.inc();
    }
}

/// The budgets of agents.
#[derive(Clone)]
pub struct AgentMetrics(IntCounterVec);

impl AgentMetrics {
    fn new(register: &Register) -> Self {
        let help = "Requests of agents whose budget of the day was used up, by budget: requests, writes";
        Self(register.counters("empress_agent_budget_refused_total", help, &["budget"]))
    }

    /// A request was refused.
    pub fn refused(&self, budget: &'static str) {
        self.0.with_label_values(&[budget]).inc();
    }
}

/// Clients that are told of logouts.
#[derive(Clone)]
pub struct LogoutMetrics(IntCounterVec);

impl LogoutMetrics {
    fn new(register: &Register) -> Self {
        let help = "Attempts to tell a client of a logout, by outcome: told, refused, failed (and tried again)";
        Self(register.counters("empress_logout_notices_total", help, &["outcome"]))
    }

    /// A client was told, or not.
    pub fn notice(&self, outcome: &'static str) {
        self.0.with_label_values(&[outcome]).inc();
    }
}

/// The cache of tokens.
#[derive(Clone)]
pub struct CacheMetrics {
    hit: IntCounter,
    miss: IntCounter,
    unknown: IntCounter,
}

impl CacheMetrics {
    fn new(register: &Register) -> Self {
        let looked_up =
            register.counters("empress_cache_lookups_total", "Look-ups of tokens in memory, by result", &["result"]);
        Self {
            hit: looked_up.with_label_values(&["hit"]),
            miss: looked_up.with_label_values(&["miss"]),
            unknown: looked_up.with_label_values(&["unknown"]),
        }
    }

    /// The token was there.
    pub fn hit(&self) {
        self.hit.inc();
    }

    /// It had to be asked for.
    pub fn miss(&self) {
        self.miss.inc();
    }

    /// It was remembered as unknown.
    pub fn unknown(&self) {
        self.unknown.inc();
    }
}

/// The endpoints that the gateway serves itself.
#[derive(Clone)]
pub struct EndpointMetrics {
    answered: IntCounterVec,
}

impl EndpointMetrics {
    fn new(register: &Register) -> Self {
        let (name, help) = ("empress_endpoint_answers_total", "Answers of the gateway's own endpoints, by status");
        Self { answered: register.counters(name, help, &["endpoint", "status"]) }
    }

    /// An endpoint gave an answer.
    pub fn answered(&self, endpoint: &'static str, status: u16) {
        self.answered.with_label_values(&[endpoint, &status.to_string()]).inc();
    }
}

/// The lax behaviours that clients still need.
#[derive(Clone)]
pub struct CompatMetrics {
    used: IntCounterVec,
}

impl CompatMetrics {
    fn new(register: &Register) -> Self {
        let (name, help) =
            ("empress_compat_total", "Uses of an allowance, by client: a client without any can be made strict");
        Self { used: register.counters(name, help, &["client_id", "allowance"]) }
    }

    /// A registered client used an allowance.
    pub fn used(&self, client_id: &str, allowance: &'static str) {
        self.used.with_label_values(&[client_id, allowance]).inc();
    }
}

/// Connections, and requests refused before anything looked at them.
#[derive(Clone)]
pub struct EdgeMetrics {
    refused: ReasonCounters,
    connections: IntGauge,
}

impl EdgeMetrics {
    fn new(register: &Register) -> Self {
        Self {
            refused: register.reasons("empress_edge_refused_total", "Connections and request heads refused, by reason"),
            connections: register.gauge("empress_edge_connections", "Open downstream connections"),
        }
    }

    /// A connection or a request's head was refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.inc(reason);
    }

    /// So many connections are open now.
    pub fn open_connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// A connection was accepted.
    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    /// A connection has ended.
    pub fn connection_closed(&self) {
        self.connections.dec();
    }
}

/// The gateway's own calls to ERPNext.
#[derive(Clone)]
pub struct ErpnextMetrics {
    calls: IntCounterVec,
}

impl ErpnextMetrics {
    fn new(register: &Register) -> Self {
        let (name, help) = (
            "empress_erpnext_calls_total",
            "The gateway's own calls to ERPNext, by what was asked and what came of it",
        );
        Self { calls: register.counters(name, help, &["what", "outcome"]) }
    }

    /// ERPNext was asked.
    pub fn call(&self, what: &'static str, outcome: &'static str) {
        self.calls.with_label_values(&[what, outcome]).inc();
    }
}

#[cfg(test)]
mod tests;
