//! Metrics by their names in Plausible, from what was counted.

use mallard_engine::Figures;
use serde_json::{Value, json};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Distinct visitors of each UTC day, added up.
    Visitors,
    /// Visits.
    Visits,
    /// Events named `pageview`.
    Pageviews,
    /// Pageviews and custom events.
    Events,
    /// Pageviews of visits by their number, with two decimals.
    ViewsPerVisit,
    /// Bounced visits in a hundred, rounded.
    BounceRate,
    /// Mean length of visits in seconds, rounded; `null` if no visit has a known length.
    VisitDuration,
    /// Visitors in a hundred of all that the filters keep, with two decimals.
    Percentage,
}

const UNSUPPORTED: [&str; 6] =
    ["scroll_depth", "conversion_rate", "group_conversion_rate", "average_revenue", "total_revenue", "time_on_page"];

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 8] = [
        Self::Visitors,
        Self::Visits,
        Self::Pageviews,
        Self::Events,
        Self::ViewsPerVisit,
        Self::BounceRate,
        Self::VisitDuration,
        Self::Percentage,
    ];

    /// The metric called `name`; an error says what is wrong with it.
    pub fn find(name: &str) -> Result<Self, String> {
        if UNSUPPORTED.contains(&name) {
            return Err(format!("metric {name} is not supported"));
        }
        let found = Self::ALL.into_iter().find(|metric| metric.name() == name);
        found.ok_or_else(|| format!("unknown metric '{name}'"))
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visitors => "visitors",
            Self::Visits => "visits",
            Self::Pageviews => "pageviews",
            Self::Events => "events",
            Self::ViewsPerVisit => "views_per_visit",
            Self::BounceRate => "bounce_rate",
            Self::VisitDuration => "visit_duration",
            Self::Percentage => "percentage",
        }
    }

    /// Whether it is a mean over visits, which cannot be grouped by what each event has.
    pub const fn is_of_visits(self) -> bool {
        matches!(self, Self::ViewsPerVisit | Self::BounceRate | Self::VisitDuration)
    }

    /// The value. `visitors` are those of the whole question, for [`Metric::Percentage`].
    pub fn value(self, figures: &Figures, visitors: u64) -> Value {
        match self {
            Self::Visitors => json!(figures.visitors),
            Self::Visits => json!(figures.visits),
            Self::Pageviews => json!(figures.pageviews),
            Self::Events => json!(figures.pageviews + figures.events),
            Self::ViewsPerVisit => json!(rounded(figures.visit_pageviews, figures.visits, 1, 100)),
            Self::BounceRate => whole(figures.bounces, figures.visits, 100),
            Self::VisitDuration if figures.timed_visits == 0 && figures.visits > 0 => Value::Null,
            Self::VisitDuration => whole(figures.duration_us, figures.timed_visits * 1_000_000, 1),
            Self::Percentage => json!(rounded(figures.visitors, visitors, 100, 100)),
        }
    }
}

/// `factor * part / whole` to the nearest whole number; 0 over nothing.
fn whole(part: u64, whole: u64, factor: u64) -> Value {
    let (part, whole) = (u128::from(part) * u128::from(factor), u128::from(whole));
    let rounded = (part + whole / 2).checked_div(whole).unwrap_or(0);
    json!(u64::try_from(rounded).unwrap_or(u64::MAX))
}

/// `factor * part / whole` to the nearest of `steps` parts of one; 0 over nothing.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded at its end; counts are exact below 2^53")]
fn rounded(part: u64, whole: u64, factor: u32, steps: u32) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let (factor, steps) = (f64::from(factor), f64::from(steps));
    (part as f64 * factor * steps / whole as f64).round() / steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_rounded_as_plausible_rounds_them() {
        let figures = Figures {
            visitors: 2,
            pageviews: 7,
            events: 2,
            visits: 3,
            bounces: 1,
            visit_pageviews: 7,
            timed_visits: 2,
            duration_us: 3_000_000,
        };
        let values = Metric::ALL.map(|metric| metric.value(&figures, 3));
        let expected = [json!(2), json!(3), json!(7), json!(9), json!(2.33), json!(33), json!(2), json!(66.67)];
        assert_eq!(values, expected);
    }

    #[test]
    fn nothing_is_zero_and_an_unknown_length_is_null() {
        let values = Metric::ALL.map(|metric| metric.value(&Figures::default(), 0));
        assert_eq!(values.map(|value| value.as_f64()), [Some(0.0); 8]);
        let rounded = Figures { visits: 1, ..Figures::default() };
        assert_eq!(Metric::VisitDuration.value(&rounded, 0), Value::Null);
    }

    #[test]
    fn unsupported_and_unknown_metrics_are_told_apart() {
        assert_eq!(Metric::find("time_on_page").unwrap_err(), "metric time_on_page is not supported");
        assert_eq!(Metric::find("visitor").unwrap_err(), "unknown metric 'visitor'");
        for metric in Metric::ALL {
            assert_eq!(Metric::find(metric.name()), Ok(metric));
        }
    }
}
