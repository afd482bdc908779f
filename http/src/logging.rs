//! Log lines: one format for people, one for machines, both on standard output (CONTRACT §11).
//!
//! ```text
//! 2026-01-31T12:00:00Z  INFO mallard_metrics: Listening addr=127.0.0.1:8000
//! {"timestamp":"..","level":"INFO","fields":{"message":"Listening","addr":".."},"target":"mallard_metrics"}
//! ```
//! Operators know one name, `mallard_metrics`; that the program is made of several crates is not their business. So a
//! directive for `mallard_metrics` covers all of them, and a line shows the crate's name below it
//! (`mallard_engine::..` is `mallard_metrics::engine`).
//!
//! What must never be logged (client addresses, user agents, query strings, props, passwords, tokens, keys) is kept out
//! by those who write the lines; the one exception is the set-up token.

use std::fmt::{self, Debug};
use std::sync::Arc;

use mallard_engine::env::Clock;
use mallard_event::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::request_id;

/// The name that operators use for the whole program.
const PROGRAM: &str = "mallard_metrics";
/// Its crates, as they appear in the targets of their lines.
const CRATES: [&str; 5] = ["mallard_http", "mallard_engine", "mallard_compactor", "mallard_wal", "mallard_event"];

/// Starts logging for the whole process; `filter` has been checked by the configuration.
pub(crate) fn start(format: LogFormat, filter: &str, clock: Arc<dyn Clock>) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(for_crates(filter))?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).event_format(Lines { format, clock });
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(())
}

/// Repeats each directive for the program as one per crate.
fn for_crates(filter: &str) -> String {
    let mut directives: Vec<String> = Vec::new();
    for directive in filter.split(',').map(str::trim) {
        directives.push(directive.to_owned());
        let Some(rest) = directive.strip_prefix(PROGRAM) else { continue };
        let of_crate = |name: &&str| match rest.strip_prefix("::") {
            None => Some(format!("{name}{rest}")),
            Some(module) => {
                let rest = module.strip_prefix(short(name))?;
                (rest.is_empty() || rest.starts_with('=')).then(|| format!("{name}{rest}"))
            }
        };
        directives.extend(CRATES.iter().filter_map(of_crate));
    }
    directives.join(",")
}

/// `engine` of `mallard_engine`.
fn short(name: &str) -> &str {
    name.trim_start_matches("mallard_")
}

/// The target that a line shows.
fn shown(target: &str) -> String {
    let name = target.split("::").next().unwrap_or(target);
    match CRATES.iter().find(|known| **known == name) {
        Some(&"mallard_http") => PROGRAM.to_owned(),
        Some(name) => format!("{PROGRAM}::{}", short(name)),
        None => target.to_owned(),
    }
}

/// Writes one event as one line.
#[derive(Debug)]
struct Lines {
    format: LogFormat,
    clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let at = Timestamp::saturating_from_micros(self.clock.now_us());
        let (level, target) = (event.metadata().level(), shown(event.metadata().target()));
        let request_id = request_id::current();
        match self.format {
            LogFormat::Text => {
                write!(writer, "{at} {level:>5} {target}: ")?;
                context.format_fields(writer.by_ref(), event)?;
                if let Some(id) = request_id {
                    write!(writer, " request_id={id}")?;
                }
                writeln!(writer)
            }
            LogFormat::Json => {
                let mut fields = Fields::default();
                event.record(&mut fields);
                let (at, level) = (at.to_string(), level.as_str());
                let mut line = json!({ "timestamp": at, "level": level, "fields": fields.0, "target": target });
                if let (Some(id), Some(line)) = (request_id, line.as_object_mut()) {
                    line.insert("request_id".to_owned(), Value::String(id));
                }
                writeln!(writer, "{line}")
            }
        }
    }
}

/// The fields of an event as JSON.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use hyper::header::HeaderValue;
    use tracing::info;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::request_id::RequestId;

    #[derive(Debug)]
    struct Noon;

    impl Clock for Noon {
        fn now_us(&self) -> i64 {
            1_706_702_400_000_000
        }

        fn steady_us(&self) -> i64 {
            0
        }
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn lines(format: LogFormat, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(buffer.clone());
        let layer = layer.event_format(Lines { format, clock: Arc::new(Noon) });
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_is_time_level_target_message_and_fields() {
        let text = lines(LogFormat::Text, || info!(addr = %"127.0.0.1:1", "Listening"));
        assert_eq!(text, "2024-01-31T12:00:00Z  INFO mallard_metrics: Listening addr=127.0.0.1:1\n");
    }

    #[test]
    fn json_has_the_request_id_at_the_top() {
        let text = lines(LogFormat::Json, || {
            let request = request_id::scope(RequestId::Given(HeaderValue::from_static("r-1")), async {
                info!(target: "mallard_engine::store", count = 3, "Flushed events to Parquet");
            });
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(request);
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "timestamp": "2024-01-31T12:00:00Z",
            "level": "INFO",
            "fields": { "message": "Flushed events to Parquet", "count": 3 },
            "target": "mallard_metrics::engine",
            "request_id": "r-1",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_directive_for_the_program_covers_its_crates() {
        let all = for_crates("mallard_metrics=info,tower_http=warn");
        assert!(all.split(',').any(|directive| directive == "mallard_wal=info"), "{all}");
        assert!(all.split(',').any(|directive| directive == "tower_http=warn"), "{all}");
        assert_eq!(for_crates("mallard_metrics::engine=debug"), "mallard_metrics::engine=debug,mallard_engine=debug");
        assert_eq!(for_crates("warn"), "warn");
    }
}
