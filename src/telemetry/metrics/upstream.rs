//! Forwarded requests, and the servers that they go to.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::register::{ReasonCounters, Register};

/// Forwarded requests.
#[derive(Clone)]
pub struct UpstreamMetrics {
    classes: [IntCounter; 5],
    failed: ReasonCounters,
    up: IntGaugeVec,
    sent: IntCounterVec,
    unreachable: IntCounterVec,
}

/// One server, by the URL that the operator gave it.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    up: IntGauge,
    sent: IntCounter,
    unreachable: IntCounter,
}

impl UpstreamMetrics {
    pub(super) fn new(register: &Register) -> Self {
        let answered =
            register.counters("empress_upstream_answers_total", "Answers of ERPNext to forwarded requests", &["class"]);
        let labels = &["upstream"];
        Self {
            classes: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| answered.with_label_values(&[class])),
            failed: register
                .reasons("empress_upstream_failures_total", "Forwarded requests without an answer, by reason"),
            up: register.gauges("empress_upstream_up", "Whether the upstream takes requests: 1 or 0", labels),
            sent: register.counters(
                "empress_upstream_requests_total",
                "Requests sent to the upstream, each attempt for itself",
                labels,
            ),
            unreachable: register.counters(
                "empress_upstream_connect_failures_total",
                "Connections to the upstream that failed when a request needed one",
                labels,
            ),
        }
    }

    /// ERPNext answered with this status.
    pub fn answered(&self, status: u16) {
        if let Some(class) = self.classes.get(usize::from(status / 100).wrapping_sub(1)) {
            class.inc();
        }
    }

    /// ERPNext did not answer.
    pub fn failed(&self, reason: &'static str) {
        self.failed.inc(reason);
    }

    /// The handle of a server, by its URL of the configuration.
    #[must_use]
    pub fn server(&self, origin: &str) -> ServerMetrics {
        ServerMetrics {
            up: self.up.with_label_values(&[origin]),
            sent: self.sent.with_label_values(&[origin]),
            unreachable: self.unreachable.with_label_values(&[origin]),
        }
    }
}

impl ServerMetrics {
    /// Whether it takes requests.
    pub fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    /// A request was sent to it.
    pub fn sent(&self) {
        self.sent.inc();
    }

    /// A connection to it failed.
    pub fn unreachable(&self) {
        self.unreachable.inc();
    }
}
