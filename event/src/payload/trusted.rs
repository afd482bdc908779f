//! The trusted fields: only a sender with a key may say when, where from and who.

use std::net::IpAddr;

use serde_json::value::RawValue;

use super::wire::Slot;
use super::{PayloadError, field, json};
use crate::Timestamp;

const USER_AGENT_BYTES_MAX: usize = 1024;
const USER_ID_BYTES_MAX: usize = 256;

/// The trusted fields as raw text. They are not even checked for their type before the sender is trusted.
#[derive(Default)]
pub(super) struct RawTrusted<'a> {
    timestamp: Slot<'a>,
    ip: Slot<'a>,
    user_agent: Slot<'a>,
    user_id: Slot<'a>,
}

/// The trusted fields.
#[derive(Default)]
pub(super) struct Trusted {
    pub(super) timestamp: Option<Timestamp>,
    pub(super) ip: Option<IpAddr>,
    pub(super) user_agent: Option<String>,
    pub(super) user_id: Option<String>,
}

impl<'a> RawTrusted<'a> {
    pub(super) fn offer(&mut self, key: &str, value: &'a RawValue) {
        match key {
            "timestamp" => self.timestamp.offer(0, value),
            "ip" => self.ip.offer(0, value),
            "user_agent" => self.user_agent.offer(0, value),
            "user_id" => self.user_id.offer(0, value),
            _ => {}
        }
    }

    pub(super) fn validate(&self) -> Result<Trusted, PayloadError> {
        Ok(Trusted {
            timestamp: self.timestamp.read(timestamp)?,
            ip: self.ip.read(ip)?,
            user_agent: self.user_agent.read(user_agent)?,
            user_id: self.user_id.read(user_id)?,
        })
    }
}

fn timestamp(value: &RawValue) -> Result<Timestamp, PayloadError> {
    let parsed = match json::text(value) {
        Some(text) => Timestamp::parse(&text),
        None => Timestamp::from_micros(milliseconds(value)?.saturating_mul(1000)),
    };
    parsed.map_err(PayloadError::refused(field::TIMESTAMP))
}

fn milliseconds(value: &RawValue) -> Result<i64, PayloadError> {
    let is_number = value.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let is_whole = is_number && !value.get().contains(['.', 'e', 'E']);
    if is_whole {
        // Only a number that is too long does not parse, and that is outside the calendar too.
        Ok(value.get().parse().unwrap_or(i64::MAX))
    } else {
        Err(PayloadError::wrong_type(field::TIMESTAMP, "must be an RFC 3339 string or whole milliseconds since 1970"))
    }
}

fn ip(value: &RawValue) -> Result<IpAddr, PayloadError> {
    let text = json::required_text(field::IP, value)?;
    let parsed: Option<IpAddr> = text.parse().ok();
    parsed
        .map(|address| address.to_canonical())
        .ok_or_else(|| PayloadError::invalid(field::IP, "must be an IPv4 or IPv6 address without port"))
}

fn user_agent(value: &RawValue) -> Result<String, PayloadError> {
    let text = json::required_text(field::USER_AGENT, value)?;
    if text.len() > USER_AGENT_BYTES_MAX {
        return Err(PayloadError::invalid(field::USER_AGENT, "must be at most 1024 bytes"));
    }
    Ok(text.into_owned())
}

fn user_id(value: &RawValue) -> Result<String, PayloadError> {
    let text = json::required_text(field::USER_ID, value)?;
    if (1..=USER_ID_BYTES_MAX).contains(&text.len()) {
        Ok(text.into_owned())
    } else {
        Err(PayloadError::invalid(field::USER_ID, "must be 1 to 256 bytes"))
    }
}
