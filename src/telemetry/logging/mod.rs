//! The log: `tracing` events and the `log` records of libraries, on standard error, as JSON or as text. The event that each
//! request leaves behind is written by a thread of its own, so that no request waits for who reads the log.

use std::{
    io::{self, BufWriter},
    sync::OnceLock,
};

use serde::Deserialize;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    reload,
    util::{SubscriberInitExt, TryInitError},
};

/// The target of the event that each request leaves behind.
pub const ACCESS_TARGET: &str = "access";
/// The target of audit events where the trail has no file of its own.
pub const AUDIT_TARGET: &str = "audit";

/// The target of what an operator hears of a reload, whatever the level.
pub const RELOAD_TARGET: &str = "reload";

/// How grave an event must be to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Faults of ours.
    Error,
    /// What an operator should look at.
    Warn,
    /// What happens.
    Info,
    /// Why it happens; refusals of peers' requests.
    Debug,
    /// Everything.
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Whether each request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// It is, whatever the level.
    On,
    /// It is not.
    Off,
}

/// So many requests may wait to be written; those that come when there is no room are counted and not written.
const WAITING_LINES: usize = 16 * 1024;

/// As long as it lives, requests are written; when it is dropped, those that wait are.
#[must_use]
pub struct Writing {
    _worker: WorkerGuard,
}

/// Starts the log of this process; once.
///
/// # Errors
/// When there is one already.
pub fn init(level: Level, format: Format, access: AccessLog) -> Result<Writing, TryInitError> {
    let requests = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true);
    let (requests, worker) = requests.thread_name("access-log").finish(BufWriter::new(io::stderr()));
    let dropped = requests.error_counter();
    let (held_back, events) = reload::Layer::new(filter(level));
    let (held_access, access) = reload::Layer::new(access_filter(access));
    let layers = vec![
        lines(format, io::stderr).with_filter(held_back).boxed(),
        lines(format, requests).with_filter(held_access).boxed(),
    ];
    tracing_subscriber::registry().with(layers).try_init()?;
    // Set once: a second log can't have been started.
    let _ = RUNNING.set(Running { events, access, dropped });
    library_records::forward(level);
    Ok(Writing { _worker: worker })
}

/// The log of this process.
static RUNNING: OnceLock<Running> = OnceLock::new();

struct Running {
    events: reload::Handle<Targets, Registry>,
    access: reload::Handle<Targets, Registry>,
    dropped: ErrorCounter,
}

/// Another level, and whether each request is written, from now on.
pub fn change(level: Level, access: AccessLog) {
    if let Some(running) = RUNNING.get() {
        // They fail only where the log is gone.
        let _ = running.events.reload(filter(level));
        let _ = running.access.reload(access_filter(access));
        library_records::change(level);
    }
}

/// How many requests have not been written for want of room.
#[must_use]
pub fn dropped_lines() -> usize {
    RUNNING.get().map_or(0, |running| running.dropped.dropped_lines())
}

/// Events as lines on `writer`.
fn lines<W>(format: Format, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    match format {
        Format::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(writer)
            .boxed(),
        Format::Text => fmt::layer().with_ansi(false).with_writer(writer).boxed(),
    }
}

/// Libraries that speak of each connection are heard from `warn` on, unless everything is asked for.
const TALKATIVE: [&str; 7] = ["pingora", "rustls", "h2", "hyper", "reqwest", "tokio_util", library_records::TARGET];

/// Only what each request leaves behind, if that is written.
fn access_filter(access: AccessLog) -> Targets {
    let level = match access {
        AccessLog::On => LevelFilter::INFO,
        AccessLog::Off => LevelFilter::OFF,
    };
    Targets::new().with_target(ACCESS_TARGET, level)
}

/// All else.
fn filter(level: Level) -> Targets {
    let level = LevelFilter::from(level);
    let libraries = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    Targets::new()
        .with_default(level)
        .with_targets(TALKATIVE.map(|target| (target, libraries)))
        .with_target(ACCESS_TARGET, LevelFilter::OFF)
        .with_target(AUDIT_TARGET, LevelFilter::INFO)
        .with_target(RELOAD_TARGET, LevelFilter::INFO)
}

/// Pingora and others write to the crate `log`; their records become events.
mod library_records {
    use log::{LevelFilter, Log, Metadata, Record};

    use super::Level;

    /// The target of these events; the library's own stands in the field `module`.
    pub(super) const TARGET: &str = "library";

    pub(super) struct Forward;

    pub(super) fn forward(level: Level) {
        if log::set_logger(&Forward).is_ok() {
            change(level);
        }
    }

    pub(super) fn change(level: Level) {
        log::set_max_level(if level == Level::Trace { LevelFilter::Trace } else { LevelFilter::Warn });
    }

    impl Log for Forward {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.level() <= log::max_level()
        }

        fn log(&self, record: &Record<'_>) {
            let (module, message) = (record.target(), record.args());
            match record.level() {
                log::Level::Error => tracing::error!(target: TARGET, module, "{message}"),
                log::Level::Warn => tracing::warn!(target: TARGET, module, "{message}"),
                log::Level::Info => tracing::info!(target: TARGET, module, "{message}"),
                log::Level::Debug => tracing::debug!(target: TARGET, module, "{message}"),
                log::Level::Trace => tracing::trace!(target: TARGET, module, "{message}"),
            }
        }

        fn flush(&self) {}
    }
}

#[cfg(test)]
mod tests;
