//! Steps of ordered reports as people write them: `page:/pricing,event:signup`, and windows such as `2 hours`. Pure; the
//! texts are the contract's (§6.2).

use mallard_engine::FunnelStep;

use crate::error::ApiError;
use crate::goals::Goal;

const STEPS_MAX: usize = 32;
const CHARACTERS_MAX: usize = 256;
const SECOND_US: i64 = 1_000_000;
/// Units with their length in seconds and the most of them that may be asked for.
const UNITS: [(&str, i64, i64); 5] = [
    ("second", 1, 86_400),
    ("minute", 60, 1_440),
    ("hour", 3_600, 720),
    ("day", 86_400, 365),
    ("week", 7 * 86_400, 52),
];

/// Reads 1 to 32 steps, of which some may be goals by their ids (`goal:1`), with what they are called.
pub(crate) fn labelled<'a>(
    texts: impl Iterator<Item = &'a str>,
    goals: &[Goal],
) -> Result<Vec<(String, FunnelStep)>, ApiError> {
    let read = |text: &str| match text.trim().strip_prefix("goal:") {
        None => step(text.trim()).map(|step| (label(&step), step)),
        Some(id) => {
            let goal = goals.iter().find(|goal| goal.id.to_string() == id.trim());
            let goal = goal.ok_or_else(|| ApiError::bad_request(format!("There is no goal '{}'", id.trim())))?;
            Ok((format!("goal:{}", goal.name), goal.step()))
        }
    };
    let steps = texts.map(read).collect::<Result<Vec<_>, _>>()?;
    match steps.len() {
        0 => Err(ApiError::bad_request("steps: at least one is needed")),
        1..=STEPS_MAX => Ok(steps),
        _ => Err(ApiError::bad_request(format!("steps must be at most {STEPS_MAX}"))),
    }
}

/// Reads one step.
fn step(text: &str) -> Result<FunnelStep, ApiError> {
    match text.split_once(':') {
        Some(("page", path)) => Ok(FunnelStep::Page(named(path, "Invalid page path")?)),
        Some(("event", name)) => Ok(FunnelStep::Event(named(name, "Invalid event name")?)),
        _ => {
            let message = format!("Invalid step format: '{text}'. Use 'page:/path' or 'event:name'.");
            Err(ApiError::bad_request(message))
        }
    }
}

fn named(name: &str, message: &'static str) -> Result<Box<str>, ApiError> {
    let name = name.trim();
    let is_valid = (1..=CHARACTERS_MAX).contains(&name.chars().count());
    if is_valid { Ok(name.into()) } else { Err(ApiError::bad_request(message)) }
}

/// A step as it is written.
fn label(step: &FunnelStep) -> String {
    match step {
        FunnelStep::Page(path) | FunnelStep::Views(path) => format!("page:{path}"),
        FunnelStep::Event(name) => format!("event:{name}"),
    }
}

/// Reads a length of time; in microseconds.
pub(crate) fn window_us(text: &str) -> Result<i64, ApiError> {
    let (number, unit) = text.trim().split_once(' ').unwrap_or_default();
    let unit = unit.trim();
    let unit = UNITS.iter().find(|(name, ..)| unit == *name || unit.strip_suffix('s') == Some(name));
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<i64>().ok().filter(|number| is_number && *number > 0);
    match (number, unit) {
        (Some(number), Some((_, seconds, max))) if number <= *max => Ok(number * seconds * SECOND_US),
        _ => Err(ApiError::bad_request("Invalid window interval. Use e.g. '1 day', '2 hours', '30 minutes'.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(list: &str) -> Result<Vec<FunnelStep>, ApiError> {
        labelled(list.split(','), &[]).map(|steps| steps.into_iter().map(|(_, step)| step).collect())
    }

    #[test]
    fn steps_are_read_trimmed_and_written_as_they_were() {
        let read = steps(" page:/pricing , event: sign up,page:/a:b ").unwrap();
        assert_eq!(read.iter().map(label).collect::<Vec<_>>(), ["page:/pricing", "event:sign up", "page:/a:b"]);
    }

    #[test]
    fn a_wrong_step_is_named() {
        let long = format!("page:/{}", "é".repeat(256));
        for (list, message) in [
            ("/pricing", "Invalid step format: '/pricing'. Use 'page:/path' or 'event:name'."),
            ("page:/a,", "Invalid step format: ''. Use 'page:/path' or 'event:name'."),
            ("Page:/a", "Invalid step format: 'Page:/a'. Use 'page:/path' or 'event:name'."),
            ("page: ", "Invalid page path"),
            (&long, "Invalid page path"),
            ("event:", "Invalid event name"),
            ("page:/,goal:7", "There is no goal '7'"),
        ] {
            assert_eq!(steps(list).unwrap_err().to_string(), message, "{list}");
        }
        let many = ["page:/"; 33].join(",");
        assert_eq!(steps(&many).unwrap_err().to_string(), "steps must be at most 32");
        assert_eq!(steps(&many[..many.len() - 7]).unwrap().len(), 32);
    }

    #[test]
    fn a_window_is_a_number_and_a_unit_within_bounds() {
        for (text, seconds) in [
            ("1 day", 86_400),
            ("2 hours", 7_200),
            ("30 minutes", 1_800),
            ("1 second", 1),
            ("86400 seconds", 86_400),
            ("1440 minutes", 86_400),
            ("720 hours", 2_592_000),
            ("365 days", 31_536_000),
            ("52 weeks", 31_449_600),
        ] {
            assert_eq!(window_us(text).unwrap(), seconds * SECOND_US, "{text}");
        }
        let refused =
            ["", "1", "day", "0 days", "1day", "-1 day", "+1 day", "1.5 days", "86401 seconds", "1441 minutes"];
        for text in refused.into_iter().chain([
            "721 hours",
            "366 days",
            "53 weeks",
            "1 month",
            "1 dayss",
            "9999999999999999999 days",
        ]) {
            let message = "Invalid window interval. Use e.g. '1 day', '2 hours', '30 minutes'.";
            assert_eq!(window_us(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
