//! `/api/keys`: making, listing and revoking keys (CONTRACT §7). Who may is said in [`crate::routes`].

use std::sync::Arc;

use hyper::StatusCode;
use mallard_event::{SiteId, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{Draft, Grant, KEY_SITES_MAX, KEYS_MAX, Key, NAME_CHARACTERS_MAX, Scope};
use crate::app::App;
use crate::auth::login::durably;
use crate::auth::token::TokenHash;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response};

/// Room for the longest name and the longest list of sites.
const BODY_BYTES_MAX: usize = 32 << 10;
/// Characters of a hash that a log line shows.
const HASH_PREFIX_CHARACTERS: usize = 8;

/// A misspelt restriction must not make a key without one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: String,
    scope: Scope,
    sites: Option<Vec<String>>,
    expires_at: Option<String>,
}

/// The only answer that ever shows a key.
#[derive(Serialize)]
struct Created<'a> {
    key: &'a str,
    key_hash: String,
    name: &'a str,
    scope: Scope,
    sites: Option<Vec<&'a str>>,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Listed<'a> {
    key_hash: String,
    name: &'a str,
    scope: Scope,
    created_at: String,
    revoked: bool,
    sites: Option<Vec<&'a str>>,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Revoked {
    status: &'static str,
}

/// `POST /api/keys`: a new key, durable before it is shown.
pub(crate) async fn create(app: &App, request: Request) -> Result<Response, ApiError> {
    let body: Body = request.into_json(BODY_BYTES_MAX).await?;
    let now = app.now();
    let draft = draft(body, now)?;
    let keys = Arc::clone(&app.auth.keys);
    let created = durably(move || keys.create(draft, now)).await?;
    let (text, key) = created.map_err(|super::TooMany| {
        ApiError::Conflict(format!("{KEYS_MAX} keys are in force; revoke one first").into())
    })?;
    info!(name = key.name, scope = ?key.grant.scope, key_hash_prefix = prefix(key.hash), "API key created");
    let mut response = response::json(&Created {
        key: &text,
        key_hash: key.hash.to_hex(),
        name: &key.name,
        scope: key.grant.scope,
        sites: sites(&key),
        expires_at: key.expires_at.map(whole_seconds),
    })?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `GET /api/keys`: all of them, oldest first, without what would let anybody use one.
pub(crate) fn list(app: &App) -> Result<Response, ApiError> {
    let keys = app.auth.keys.list();
    let listed = keys.iter().map(|key| Listed {
        key_hash: key.hash.to_hex(),
        name: &key.name,
        scope: key.grant.scope,
        created_at: whole_seconds(key.created_at),
        revoked: key.is_revoked,
        sites: sites(key),
        expires_at: key.expires_at.map(whole_seconds),
    });
    response::json(&listed.collect::<Vec<_>>())
}

/// `DELETE /api/keys/{key_hash}`: the key works no more, and never will again, before the answer says so.
pub(crate) async fn revoke(app: &App, key_hash: &str) -> Result<Response, ApiError> {
    let unknown = || ApiError::Absent("Key not found".into());
    let hash = TokenHash::from_hex(key_hash).ok_or_else(unknown)?;
    let keys = Arc::clone(&app.auth.keys);
    if !durably(move || keys.revoke(hash)).await? {
        return Err(unknown());
    }
    info!(key_hash_prefix = prefix(hash), "API key revoked");
    response::json(&Revoked { status: "revoked" })
}

fn draft(body: Body, now: Timestamp) -> Result<Draft, ApiError> {
    if !(1..=NAME_CHARACTERS_MAX).contains(&body.name.chars().count()) {
        return Err(ApiError::bad_request("Key name must be 1-128 characters"));
    }
    let sites = body.sites.map(restriction).transpose()?;
    let expires_at = body.expires_at.map(|text| expiry(&text, now)).transpose()?;
    Ok(Draft { name: body.name, grant: Grant { scope: body.scope, sites }, expires_at })
}

fn restriction(sites: Vec<String>) -> Result<Arc<[SiteId]>, ApiError> {
    if !(1..=KEY_SITES_MAX).contains(&sites.len()) {
        let message = format!("sites must name 1 to {KEY_SITES_MAX} sites; leave it out for all");
        return Err(ApiError::bad_request(message));
    }
    let sites = sites.iter().map(|site| SiteId::parse(site)).collect::<Result<Vec<_>, _>>();
    let mut sites = sites.map_err(|invalid| ApiError::bad_request(format!("sites: each {}", invalid.reason)))?;
    sites.sort_unstable();
    sites.dedup();
    Ok(sites.into())
}

/// To the second, as answers show it.
fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let at = Timestamp::parse(text)
        .map_err(|_| ApiError::bad_request("expires_at must be a time such as 2027-01-31T00:00:00Z"))?;
    let at = start_of_second(at);
    if at > now { Ok(at) } else { Err(ApiError::bad_request("expires_at must be in the future")) }
}

fn start_of_second(at: Timestamp) -> Timestamp {
    Timestamp::saturating_from_micros(at.micros().div_euclid(1_000_000) * 1_000_000)
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
fn whole_seconds(at: Timestamp) -> String {
    start_of_second(at).to_string()
}

fn sites(key: &Key) -> Option<Vec<&str>> {
    key.grant.sites.as_ref().map(|sites| sites.iter().map(SiteId::as_str).collect())
}

fn prefix(hash: TokenHash) -> String {
    hash.to_hex().chars().take(HASH_PREFIX_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::testing::at;

    fn checked(body: Value) -> Result<Draft, String> {
        let body = serde_json::from_value(body).unwrap();
        draft(body, at("2024-01-31T12:00:00Z")).map_err(|error| {
            assert_eq!(error.status(), 400);
            error.to_string()
        })
    }

    fn refusal(body: Value) -> String {
        checked(body).err().unwrap()
    }

    #[test]
    fn a_name_has_1_to_128_characters() {
        assert_eq!(refusal(json!({ "name": "", "scope": "Admin" })), "Key name must be 1-128 characters");
        let (longest, longer) = ("é".repeat(128), "é".repeat(129));
        assert_eq!(
            checked(json!({ "name": longest, "scope": "Admin" })).unwrap_or_else(|e| panic!("{e}")).name,
            longest
        );
        assert_eq!(refusal(json!({ "name": longer, "scope": "Admin" })), "Key name must be 1-128 characters");
    }

    #[test]
    fn sites_are_kept_in_order_and_once() {
        let draft = checked(json!({ "name": "a", "scope": "ReadOnly", "sites": ["b", "a", "b"] })).ok().unwrap();
        let sites: Vec<String> = draft.grant.sites.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(sites, ["a", "b"]);
        assert!(
            refusal(json!({ "name": "a", "scope": "ReadOnly", "sites": [] })).starts_with("sites must name 1 to 50")
        );
        assert!(
            refusal(json!({ "name": "a", "scope": "ReadOnly", "sites": ["a/b"] })).starts_with("sites: each must be")
        );
        let many = vec!["a"; KEY_SITES_MAX + 1];
        assert!(refusal(json!({ "name": "a", "scope": "ReadOnly", "sites": many })).starts_with("sites must name"));
    }

    #[test]
    fn an_expiry_is_a_time_to_come() {
        let at = |text: &str| checked(json!({ "name": "a", "scope": "Admin", "expires_at": text }));
        let expires_at = at("2024-01-31T14:00:00.9+01:00").ok().unwrap().expires_at.unwrap();
        assert_eq!(whole_seconds(expires_at), "2024-01-31T13:00:00Z");
        assert_eq!(at("2024-01-31T12:00:00Z").err().unwrap(), "expires_at must be in the future");
        assert!(at("tomorrow").err().unwrap().starts_with("expires_at must be a time such as"));
    }
}
