//! What an operator sees of the metrics.

use super::Metrics;

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|l| l == line)
}

#[test]
fn each_event_is_counted_under_its_labels() {
    let metrics = Metrics::new();
    metrics.access.permitted();
    metrics.access.denied("expired");
    metrics.access.denied("expired");
    metrics.cache.hit();
    metrics.cache.unknown();
    metrics.endpoints.answered("token", 401);
    metrics.compat.used("shop", "no_secret");
    metrics.edge.refused("header_timeout");
    metrics.edge.connection_opened();
    metrics.edge.connection_opened();
    metrics.edge.connection_closed();
    metrics.upstream.answered(204);
    metrics.upstream.failed("connect");
    metrics.erpnext.call("user", "ok");
    let text = metrics.render();
    for line in [
        "empress_access_permitted_total 1",
        "empress_access_denied_total{reason=\"expired\"} 2",
        "empress_cache_lookups_total{result=\"hit\"} 1",
        "empress_cache_lookups_total{result=\"miss\"} 0",
        "empress_cache_lookups_total{result=\"unknown\"} 1",
        "empress_endpoint_answers_total{endpoint=\"token\",status=\"401\"} 1",
        "empress_compat_total{allowance=\"no_secret\",client_id=\"shop\"} 1",
        "empress_edge_refused_total{reason=\"header_timeout\"} 1",
        "empress_edge_connections 1",
        "empress_upstream_answers_total{class=\"2xx\"} 1",
        "empress_upstream_failures_total{reason=\"connect\"} 1",
        "empress_erpnext_calls_total{outcome=\"ok\",what=\"user\"} 1",
    ] {
        assert!(has(&text, line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_name_is_ours_and_the_process_is_described() {
    let text = Metrics::new().render();
    let names = text.lines().filter(|line| !line.starts_with('#'));
    assert!(names.clone().all(|line| line.starts_with("empress_")), "{text}");
    let value = |name: &str| {
        let line = names.clone().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
    };
    assert!(value("empress_process_resident_memory_bytes") > 0.0);
    assert!(value("empress_process_open_fds") > 0.0);
    assert!(value("empress_process_start_time_seconds") > 1.6e9);
}

#[test]
fn more_reasons_than_are_kept_at_hand_are_still_counted() {
    let metrics = Metrics::new();
    let reasons: Vec<&'static str> = (0..40).map(|n| &*Box::leak(format!("r{n}").into_boxed_str())).collect();
    for reason in reasons.iter().chain(&reasons) {
        metrics.access.denied(reason);
    }
    let text = metrics.render();
    for reason in reasons {
        assert!(has(&text, &format!("empress_access_denied_total{{reason=\"{reason}\"}} 2")), "{reason}");
    }
}

#[test]
fn a_status_that_http_does_not_have_is_not_counted() {
    let metrics = Metrics::new();
    metrics.upstream.answered(0);
    metrics.upstream.answered(999);
    assert!(
        metrics
            .render()
            .lines()
            .filter(|l| l.starts_with("empress_upstream_answers_total{"))
            .all(|l| l.ends_with(" 0"))
    );
}
