//! What is written of events, and what is held back.

use std::sync::{Arc, Mutex, PoisonError};

use log::Log;

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written of the events that `happen`.
fn log_of(level: Level, format: Format, access: AccessLog, happen: impl FnOnce()) -> String {
    let written = Written::default();
    let layers = [filter(level), access_filter(access)].map(|filter| {
        let to = written.clone();
        lines(format, move || to.clone()).with_filter(filter).boxed()
    });
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Vec::from(layers)), happen);
    let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn json_has_one_object_a_line_whatever_is_in_it() {
    let text = log_of(Level::Info, Format::Json, AccessLog::On, || tracing::info!(user = "a\r\n\"b,ä", "hello"));
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&line["message"], &line["user"], &line["level"]),
        (&"hello".into(), &"a\r\n\"b,ä".into(), &"INFO".into())
    );
}

#[test]
fn the_level_holds_back_what_is_less_grave() {
    let happen = || {
        tracing::info!("quiet");
        tracing::warn!("loud");
    };
    let text = log_of(Level::Warn, Format::Text, AccessLog::On, happen);
    assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
}

#[test]
fn access_has_a_switch_of_its_own_and_audit_is_always_written() {
    let happen = || {
        tracing::info!(target: ACCESS_TARGET, "a request");
        tracing::info!(target: AUDIT_TARGET, "an event");
    };
    let text = log_of(Level::Error, Format::Text, AccessLog::On, happen);
    assert!(text.contains("a request") && text.contains("an event"), "{text}");
    let text = log_of(Level::Trace, Format::Text, AccessLog::Off, happen);
    assert!(!text.contains("a request") && text.contains("an event"), "{text}");
}

#[test]
fn libraries_are_heard_from_warnings_on() {
    let happen = || {
        tracing::debug!(target: "pingora_proxy", "chatter");
        tracing::warn!(target: "pingora_proxy", "trouble");
        let mut record = log::Record::builder();
        record.target("pingora_core");
        let library = library_records::Forward;
        library.log(&record.level(log::Level::Info).args(format_args!("gossip")).build());
        library.log(&record.level(log::Level::Error).args(format_args!("disaster")).build());
    };
    let text = log_of(Level::Debug, Format::Text, AccessLog::On, happen);
    assert!(text.contains("trouble") && text.contains("disaster"), "{text}");
    assert!(text.contains("module=\"pingora_core\""), "{text}");
    assert!(!text.contains("chatter") && !text.contains("gossip"), "{text}");
    assert!(log_of(Level::Trace, Format::Text, AccessLog::On, happen).contains("gossip"));
}
