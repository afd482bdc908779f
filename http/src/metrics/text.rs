//! The text format 0.0.4, from a registry that speaks OpenMetrics.
//!
//! The two differ for us in one thing: OpenMetrics describes the counter `x` and samples `x_total`, the older format
//! describes the very name that it samples. Every Prometheus client reads the older one.

use std::fmt;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

use super::snapshot::Snapshot;

/// All metrics of `registry` and `snapshot`.
pub(super) fn encode(registry: &Registry, snapshot: Snapshot) -> Result<String, fmt::Error> {
    let mut figures = Registry::with_prefix("mallard");
    figures.register_collector(Box::new(snapshot));
    let mut text = String::new();
    encode_registry(&mut text, registry)?;
    encode_registry(&mut text, &figures)?;
    Ok(with_full_counter_names(&text))
}

fn with_full_counter_names(text: &str) -> String {
    let mut lines = text.lines().peekable();
    let mut renamed = String::with_capacity(text.len() + 1024);
    while let Some(line) = lines.next() {
        // A description is two lines, HELP and then TYPE; only the second one says that it is about a counter.
        let described = lines.peek().copied().and_then(counter_of_type).filter(|name| is_help_of(line, name));
        match (described, counter_of_type(line)) {
            (Some(name), _) => renamed.push_str(&line.replacen(name, &format!("{name}_total"), 1)),
            (None, Some(name)) => renamed.push_str(&format!("# TYPE {name}_total counter")),
            (None, None) => renamed.push_str(line),
        }
        renamed.push('\n');
    }
    renamed
}

fn counter_of_type(line: &str) -> Option<&str> {
    line.strip_prefix("# TYPE ")?.strip_suffix(" counter")
}

fn is_help_of(line: &str, name: &str) -> bool {
    line.strip_prefix("# HELP ").and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_described_under_the_name_that_it_is_sampled_under() {
        let open = "# HELP a Help.\n# TYPE a counter\na_total 1\n# HELP b Help.\n# TYPE b gauge\nb 2\n";
        let expected = "# HELP a_total Help.\n# TYPE a_total counter\na_total 1\n# HELP b Help.\n# TYPE b gauge\nb 2\n";
        assert_eq!(with_full_counter_names(open), expected);
    }
}
