//! The body of `POST /api/v2/query` as a [`Query`]. Pure; every error names its field.

use mallard_engine::Interval;
use serde_json::{Map, Value};

use super::metrics::Metric;
use crate::stats::filter::names::Named;

const METRICS_MAX: usize = 20;
const DIMENSIONS_MAX: usize = 5;
const LIMIT_MAX: u64 = 10_000;
const FIELDS: [&str; 10] = [
    "site_id",
    "metrics",
    "date_range",
    "dimensions",
    "filters",
    "order_by",
    "include",
    "pagination",
    // Ours: the zone of days and buckets, and the LSN at which the answer is wanted.
    "timezone",
    "as_of",
];

/// What is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// The metrics of each line.
    pub metrics: Vec<Metric>,
    /// The dimensions of each line.
    pub dimensions: Vec<Dimension>,
    /// The order of lines: what is compared, and whether it descends.
    pub order_by: Vec<(Column, bool)>,
    /// The most lines.
    pub limit: usize,
    /// Lines left out at the beginning.
    pub offset: usize,
    /// Whether the number of all lines is wanted.
    pub include_total_rows: bool,
    /// Whether the labels of all buckets are wanted.
    pub include_time_labels: bool,
    /// Whether it is to be said that there are no imported statistics.
    pub include_imports: bool,
}

/// What lines are by.
#[derive(Clone, Debug)]
pub enum Dimension {
    /// Buckets of time; `None` for what suits the range.
    Time(Option<Interval>),
    /// The goals that an event meets.
    Goal,
    /// A value.
    Named(Named),
}

/// A column of the answer by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// One of the metrics.
    Metric(usize),
    /// One of the dimensions.
    Dimension(usize),
}

impl Query {
    /// Reads the body, save for the site, the range and the filters.
    pub fn parse(body: &Map<String, Value>) -> Result<Self, String> {
        if let Some(unknown) = body.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(format!("{unknown}: unknown field"));
        }
        let metric_names = texts(body, "metrics", METRICS_MAX)?;
        if metric_names.is_empty() {
            return Err("metrics: at least one metric is needed".to_owned());
        }
        let metrics = metric_names.iter().map(|name| Metric::find(name)).collect::<Result<Vec<_>, _>>();
        let names = texts(body, "dimensions", DIMENSIONS_MAX)?;
        let dimensions = names.iter().map(|name| dimension(name)).collect::<Result<Vec<_>, _>>();
        let mut query = Self {
            metrics: metrics.map_err(|error| format!("metrics: {error}"))?,
            dimensions: dimensions.map_err(|error| format!("dimensions: {error}"))?,
            order_by: Vec::new(),
            limit: 0,
            offset: 0,
            include_total_rows: false,
            include_time_labels: false,
            include_imports: false,
        };
        query.refuse_mixtures()?;
        query.read_order(body.get("order_by"), &metric_names, &names)?;
        query.read_include(body.get("include"))?;
        query.read_pagination(body.get("pagination"))?;
        Ok(query)
    }

    /// The place of the dimension of time.
    pub fn time(&self) -> Option<(usize, Option<Interval>)> {
        self.dimensions.iter().enumerate().find_map(|(place, dimension)| match dimension {
            Dimension::Time(interval) => Some((place, *interval)),
            Dimension::Named(_) | Dimension::Goal => None,
        })
    }

    /// Whether lines are by goals.
    pub fn is_by_goal(&self) -> bool {
        self.dimensions.iter().any(|dimension| matches!(dimension, Dimension::Goal))
    }

    fn refuse_mixtures(&self) -> Result<(), String> {
        let is_of_event = |dimension: &Dimension| match dimension {
            Dimension::Named(named) => named.is_of_event(),
            Dimension::Goal => true,
            Dimension::Time(_) => false,
        };
        let is_by_event = self.dimensions.iter().any(is_of_event);
        if let Some(metric) = self.metrics.iter().find(|metric| is_by_event && metric.is_of_visits()) {
            return Err(format!("metrics: {} cannot be combined with dimensions of events", metric.name()));
        }
        if self.dimensions.is_empty() && self.metrics.contains(&Metric::Percentage) {
            return Err("metrics: percentage needs dimensions".to_owned());
        }
        let times = self.dimensions.iter().filter(|dimension| matches!(dimension, Dimension::Time(_)));
        if times.count() > 1 {
            return Err("dimensions: at most one dimension of time".to_owned());
        }
        if self.dimensions.iter().filter(|dimension| matches!(dimension, Dimension::Goal)).count() > 1 {
            return Err("dimensions: event:goal is named twice".to_owned());
        }
        Ok(())
    }

    fn read_order(&mut self, json: Option<&Value>, metrics: &[String], dimensions: &[String]) -> Result<(), String> {
        let Some(json) = json.filter(|json| !json.is_null()) else {
            self.order_by.extend(self.time().map(|(place, _)| (Column::Dimension(place), false)));
            self.order_by.push((Column::Metric(0), true));
            return Ok(());
        };
        let shape = || "order_by: must be a list of [metric or dimension, \"asc\" or \"desc\"]".to_owned();
        for pair in json.as_array().ok_or_else(shape)? {
            let Some([Value::String(name), Value::String(direction)]) = pair.as_array().map(Vec::as_slice) else {
                return Err(shape());
            };
            let metric = metrics.iter().position(|known| known == name).map(Column::Metric);
            let dimension = dimensions.iter().position(|known| known == name).map(Column::Dimension);
            let column = metric.or(dimension).ok_or_else(|| format!("order_by: {name} is not part of the query"))?;
            if self.order_by.iter().any(|(known, _)| *known == column) {
                return Err(format!("order_by: {name} is named twice"));
            }
            match direction.as_str() {
                "asc" => self.order_by.push((column, false)),
                "desc" => self.order_by.push((column, true)),
                _ => return Err(shape()),
            }
        }
        Ok(())
    }

    fn read_include(&mut self, json: Option<&Value>) -> Result<(), String> {
        let Some(json) = json.filter(|json| !json.is_null()) else { return Ok(()) };
        for (name, setting) in json.as_object().ok_or("include: must be an object")? {
            let flag = match name.as_str() {
                "imports" => &mut self.include_imports,
                "time_labels" => &mut self.include_time_labels,
                "total_rows" => &mut self.include_total_rows,
                _ => return Err(format!("include: {name} is not supported")),
            };
            *flag = setting.as_bool().ok_or_else(|| format!("include.{name}: must be true or false"))?;
        }
        if self.include_time_labels && self.time().is_none() {
            return Err("include.time_labels: needs a dimension of time".to_owned());
        }
        Ok(())
    }

    fn read_pagination(&mut self, json: Option<&Value>) -> Result<(), String> {
        let empty = Map::new();
        let page = match json {
            None | Some(Value::Null) => &empty,
            Some(json) => json.as_object().ok_or("pagination: must be an object")?,
        };
        if let Some(unknown) = page.keys().find(|field| !["limit", "offset"].contains(&field.as_str())) {
            return Err(format!("pagination.{unknown}: unknown field"));
        }
        let number = |field: &str, default: u64| match page.get(field) {
            None => Ok(default),
            Some(number) => number.as_u64().ok_or_else(|| format!("pagination.{field}: must be a whole number")),
        };
        let (limit, offset) = (number("limit", LIMIT_MAX)?, number("offset", 0)?);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(format!("pagination.limit: must be between 1 and {LIMIT_MAX}"));
        }
        self.limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(())
    }
}

/// The dimension called `name`.
fn dimension(name: &str) -> Result<Dimension, String> {
    Ok(Dimension::Time(match name {
        "event:goal" => return Ok(Dimension::Goal),
        "time" => None,
        "time:minute" => Some(Interval::Minute),
        "time:hour" => Some(Interval::Hour),
        "time:day" => Some(Interval::Day),
        "time:week" => Some(Interval::Week),
        "time:month" => Some(Interval::Month),
        _ => return Named::find(name).map(Dimension::Named),
    }))
}

fn texts(body: &Map<String, Value>, field: &str, max: usize) -> Result<Vec<String>, String> {
    let Some(json) = body.get(field).filter(|json| !json.is_null()) else { return Ok(Vec::new()) };
    let shape = || format!("{field}: must be a list of texts");
    let list = json.as_array().ok_or_else(shape)?;
    if list.len() > max {
        return Err(format!("{field}: at most {max}, got {}", list.len()));
    }
    list.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(shape)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: Value) -> Result<Query, String> {
        Query::parse(body.as_object().unwrap())
    }

    #[test]
    fn lines_are_ordered_by_time_and_then_by_the_first_metric() {
        let query = parse(json!({"metrics": ["visits", "visitors"], "dimensions": ["visit:os", "time:day"]})).unwrap();
        assert_eq!(query.order_by, [(Column::Dimension(1), false), (Column::Metric(0), true)]);
        assert_eq!((query.limit, query.offset), (10_000, 0));
        let query = parse(json!({"metrics": ["visits"], "dimensions": ["visit:os"], "order_by": [["visit:os", "asc"]],
            "pagination": {"limit": 3, "offset": 1}}));
        assert_eq!(query.unwrap().order_by, [(Column::Dimension(0), false)]);
    }

    #[test]
    fn what_cannot_be_answered_is_refused_by_name() {
        for (body, message) in [
            (json!({"metrics": []}), "metrics: at least one metric is needed"),
            (json!({"metrics": ["time_on_page"]}), "metrics: metric time_on_page is not supported"),
            (json!({"metrics": ["percentage"]}), "metrics: percentage needs dimensions"),
            (
                json!({"metrics": ["bounce_rate"], "dimensions": ["event:page"]}),
                "metrics: bounce_rate cannot be combined with dimensions of events",
            ),
            (
                json!({"metrics": ["visits"], "dimensions": ["visit:region"]}),
                "dimensions: visit:region is not supported. Codes of regions are not stored. Use visit:region_name.",
            ),
            (
                json!({"metrics": ["views_per_visit"], "dimensions": ["event:goal"]}),
                "metrics: views_per_visit cannot be combined with dimensions of events",
            ),
            (
                json!({"metrics": ["visits"], "dimensions": ["event:goal", "event:goal"]}),
                "dimensions: event:goal is named twice",
            ),
            (
                json!({"metrics": ["visits"], "dimensions": ["time", "time:day"]}),
                "dimensions: at most one dimension of time",
            ),
            (
                json!({"metrics": ["visits"], "order_by": [["visitors", "asc"]]}),
                "order_by: visitors is not part of the query",
            ),
            (
                json!({"metrics": ["visits"], "order_by": [["visits", "asc"], ["visits", "desc"]]}),
                "order_by: visits is named twice",
            ),
            (json!({"metrics": ["visits"], "include": {"comparisons": {}}}), "include: comparisons is not supported"),
            (
                json!({"metrics": ["visits"], "include": {"time_labels": true}}),
                "include.time_labels: needs a dimension of time",
            ),
            (
                json!({"metrics": ["visits"], "pagination": {"limit": 0}}),
                "pagination.limit: must be between 1 and 10000",
            ),
            (json!({"metrics": ["visits"], "preloaded": true}), "preloaded: unknown field"),
        ] {
            assert_eq!(parse(body).unwrap_err(), message);
        }
    }
}
