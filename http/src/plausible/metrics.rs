//! Metrics by their names in Plausible, from what was counted.

use mallard_engine::{Figures, Takings};
use serde_json::{Value, json};

use super::money;

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
    /// Visitors in a hundred of all, whether they met the goal or not, with two decimals.
    ConversionRate,
    /// The same of all under the values of the line.
    GroupConversionRate,
    /// What the events earned; `null` if nothing, or in several currencies.
    TotalRevenue,
    /// The same by the events that state an amount.
    AverageRevenue,
}

/// What a line is made of.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// What was counted.
    pub figures: &'a Figures,
    /// What the events earned; empty where sums of the answer are in several currencies.
    pub takings: &'a [Takings],
    /// The visitors of the whole question.
    pub visitors: u64,
    /// Those of the question without its filters on goals and properties.
    pub everyone: u64,
    /// Those among them under the values of the line.
    pub peers: u64,
}

impl<'a> Measured<'a> {
    /// By figures alone.
    pub fn plain(figures: &'a Figures, visitors: u64) -> Self {
        Self { figures, takings: &[], visitors, everyone: 0, peers: 0 }
    }
}

const UNSUPPORTED: [&str; 2] = ["scroll_depth", "time_on_page"];

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 12] = [
        Self::Visitors,
        Self::Visits,
        Self::Pageviews,
        Self::Events,
        Self::ViewsPerVisit,
        Self::BounceRate,
        Self::VisitDuration,
        Self::Percentage,
        Self::ConversionRate,
        Self::GroupConversionRate,
        Self::TotalRevenue,
        Self::AverageRevenue,
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
            Self::ConversionRate => "conversion_rate",
            Self::GroupConversionRate => "group_conversion_rate",
            Self::TotalRevenue => "total_revenue",
            Self::AverageRevenue => "average_revenue",
        }
    }

    /// Whether it is a mean over visits, which cannot be grouped by what each event has.
    pub const fn is_of_visits(self) -> bool {
        matches!(self, Self::ViewsPerVisit | Self::BounceRate | Self::VisitDuration)
    }

    /// Whether it is a rate of those who met a goal.
    pub const fn is_conversion_rate(self) -> bool {
        matches!(self, Self::ConversionRate | Self::GroupConversionRate)
    }

    /// Whether it is a sum of money.
    pub const fn is_revenue(self) -> bool {
        matches!(self, Self::TotalRevenue | Self::AverageRevenue)
    }

    /// What lines are ordered by; nothing is less than any number.
    pub fn rank(self, measured: &Measured<'_>) -> f64 {
        let number = match self {
            Self::TotalRevenue | Self::AverageRevenue => self.money(measured).map(|(sum, _)| money::amount(sum)),
            _ => self.value(measured).as_f64(),
        };
        number.unwrap_or(f64::NEG_INFINITY)
    }

    /// The sum in ten-thousandths and its currency, if there is one.
    fn money<'a>(self, measured: &Measured<'a>) -> Option<(i128, &'a str)> {
        let [Takings { currency, ten_thousandths, events }] = measured.takings else { return None };
        let sum = match self {
            Self::TotalRevenue => *ten_thousandths,
            _ => divided(*ten_thousandths, i128::from(*events)),
        };
        currency.as_deref().map(|currency| (sum, currency))
    }

    /// The value.
    pub fn value(self, measured: &Measured<'_>) -> Value {
        let Measured { figures, visitors, .. } = *measured;
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
            Self::ConversionRate => json!(rounded(figures.visitors, measured.everyone, 100, 100)),
            Self::GroupConversionRate => json!(rounded(figures.visitors, measured.peers, 100, 100)),
            Self::TotalRevenue | Self::AverageRevenue => {
                self.money(measured).map_or(Value::Null, |(sum, currency)| money::shown(sum, currency))
            }
        }
    }
}

/// `sum / count` to the nearest whole number, halves away from zero.
fn divided(sum: i128, count: i128) -> i128 {
    let half = if sum < 0 { -(count / 2) } else { count / 2 };
    (sum + half).checked_div(count).unwrap_or(0)
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
        let takings = [Takings { currency: Some("USD".into()), ten_thousandths: 25_000, events: 2 }];
        let measured = Measured { figures: &figures, takings: &takings, visitors: 3, everyone: 8, peers: 6 };
        let values = Metric::ALL.map(|metric| metric.value(&measured));
        let expected = [json!(2), json!(3), json!(7), json!(9), json!(2.33), json!(33), json!(2), json!(66.67)];
        assert_eq!(values[..8], expected);
        assert_eq!(values[8..10], [json!(25.0), json!(33.33)]);
        assert_eq!((&values[10]["value"], &values[11]["value"]), (&json!(2.5), &json!(1.25)));
        assert_eq!((values[10]["long"].as_str(), values[11]["long"].as_str()), (Some("$2.50"), Some("$1.25")));
    }

    #[test]
    fn money_of_several_currencies_or_of_none_is_no_number() {
        let figures = Figures::default();
        let sum =
            |currency: Option<&str>| Takings { currency: currency.map(Into::into), ten_thousandths: -15, events: 2 };
        let value = |takings: &[Takings]| {
            let measured = Measured { takings, ..Measured::plain(&figures, 0) };
            [Metric::TotalRevenue, Metric::AverageRevenue].map(|metric| metric.value(&measured)["value"].clone())
        };
        assert_eq!(value(&[]), [Value::Null, Value::Null]);
        assert_eq!(value(&[sum(None)]), [Value::Null, Value::Null]);
        assert_eq!(value(&[sum(Some("EUR")), sum(Some("USD"))]), [Value::Null, Value::Null]);
        assert_eq!(value(&[sum(Some("EUR"))]), [json!(-0.0015), json!(-0.0008)]);
    }

    #[test]
    fn nothing_is_zero_and_an_unknown_length_is_null() {
        let (nothing, counts) = (Figures::default(), &Metric::ALL[..10]);
        let zeros = counts.iter().map(|metric| metric.value(&Measured::plain(&nothing, 0)).as_f64());
        assert!(zeros.eq([Some(0.0); 10]));
        let rounded = Figures { visits: 1, ..Figures::default() };
        assert_eq!(Metric::VisitDuration.value(&Measured::plain(&rounded, 0)), Value::Null);
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
