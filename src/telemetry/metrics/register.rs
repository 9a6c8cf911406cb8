//! Where metrics are made: each name once.

use std::sync::{Arc, OnceLock};

use prometheus::{
    Counter, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
    proto::MetricFamily,
};

/// The metrics of one process; not prometheus's global one, so that tests do not share it.
pub(super) struct Register(Registry);

impl Register {
    pub(super) fn new() -> Self {
        Self(Registry::new())
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.0.gather()
    }

    #[expect(
        clippy::expect_used,
        reason = "names and labels are constants, and every start of the gateway makes them all"
    )]
    fn add<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect("a metric's name and labels are well-formed");
        self.0.register(Box::new(metric.clone())).expect("a metric's name is used once");
        metric
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    pub(super) fn float_counter(&self, name: &str, help: &str) -> Counter {
        self.add(Counter::new(name, help))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    pub(super) fn float_gauge(&self, name: &str, help: &str) -> Gauge {
        self.add(Gauge::new(name, help))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn reasons(&self, name: &str, help: &str) -> ReasonCounters {
        ReasonCounters { counters: self.counters(name, help, &["reason"]), known: Arc::default() }
    }

    pub(super) fn build_info(&self) {
        let info = self.counters("empress_build_info", "The version that runs", &["version"]);
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
    }
}

/// Counters by reason. A reason is looked up in the register when it first occurs; from then on a short walk finds it,
/// without lock or hash: a flood of refusals must cost less than what it asks for.
#[derive(Clone)]
pub(super) struct ReasonCounters {
    counters: IntCounterVec,
    known: Arc<[OnceLock<(&'static str, IntCounter)>; 24]>,
}

impl ReasonCounters {
    pub(super) fn inc(&self, reason: &'static str) {
        for slot in self.known.iter() {
            let (known, counter) = slot.get_or_init(|| (reason, self.counters.with_label_values(&[reason])));
            if *known == reason {
                counter.inc();
                return;
            }
        }
        self.counters.with_label_values(&[reason]).inc();
    }
}
