//! The address of the client (CONTRACT §4.4): the socket's peer, or, if the peer is a trusted proxy, what it says.
//!
//! ```text
//! peer not trusted                      the peer; whatever headers say
//! peer trusted, on Fly                  Fly-Client-IP; if that is a trusted proxy too, on to the left of it in the list
//! peer trusted, X-Forwarded-For         from the right: skip trusted, take the first untrusted; all trusted: the left-most
//! peer trusted, X-Real-IP alone         X-Real-IP
//! otherwise                             the peer
//! ```
//! Only the part of `X-Forwarded-For` that trusted proxies wrote is read: what stands to the left of the first untrusted
//! entry is the client's own claim. An entry that is no address (`unknown`, a name) ends the walk at the last good one.
//! Headers are parsed into addresses here and nowhere else; no free text leaves this file, and nothing is logged.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HOST;
use hyper::http::uri::Authority;

pub use super::proxies::{InvalidProxy, TrustedProxies};

#[cfg(test)]
mod tests;

const FLY_CLIENT_IP: &str = "fly-client-ip";
const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_REAL_IP: &str = "x-real-ip";

/// The address of whoever sent the request; IPv4 is never in its IPv6-mapped form.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies, is_on_fly: bool) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.trusts(peer) {
        return peer;
    }
    match single_address(headers, FLY_CLIENT_IP).filter(|_| is_on_fly) {
        Some(client) if !trusted.trusts(client) => client,
        // Fly's own last entry is the application's address: the chain before Fly ends at the entry that Fly saw.
        Some(proxy) => {
            let up_to_fly = forwarded_from_right(headers).skip_while(|entry| *entry != Some(proxy));
            first_untrusted(up_to_fly, trusted).unwrap_or(proxy)
        }
        None if headers.contains_key(X_FORWARDED_FOR) => {
            first_untrusted(forwarded_from_right(headers), trusted).unwrap_or(peer)
        }
        None => single_address(headers, X_REAL_IP).unwrap_or(peer),
    }
}

/// The first address that `X-Forwarded-For` names, whoever wrote it: for senders who have proven who they are.
pub(crate) fn left_most_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let entries: Vec<_> = forwarded_from_right(headers).collect();
    entries.into_iter().rev().flatten().next()
}

/// Whether the request comes from this very machine and through no proxy: a loopback peer that asked for a loopback
/// `Host`, without any header that a proxy adds. Only such a request may set the first password without the token.
pub fn is_direct_loopback(peer: IpAddr, headers: &HeaderMap) -> bool {
    let is_forwarded = headers.keys().any(|name| {
        let name = name.as_str();
        matches!(name, "forwarded" | "via" | X_REAL_IP) || name.starts_with("x-forwarded-") || name.starts_with("fly-")
    });
    peer.to_canonical().is_loopback() && !is_forwarded && has_loopback_host(headers)
}

/// The first untrusted address of a walk; if all are trusted, or an entry is no address, the last one before that.
fn first_untrusted(walk: impl Iterator<Item = Option<IpAddr>>, trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut last = None;
    for address in walk.map_while(|entry| entry) {
        last = Some(address);
        if !trusted.trusts(address) {
            break;
        }
    }
    last
}

/// The entries of all `X-Forwarded-For` lines, nearest proxy first; `None` where an entry is no address.
fn forwarded_from_right(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).map(parse_address)
}

fn single_address(headers: &HeaderMap, name: &str) -> Option<IpAddr> {
    parse_address(headers.get(name)?.as_bytes())
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`.
fn parse_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bare = in_brackets.unwrap_or(text).parse::<IpAddr>();
    let address = bare.or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?;
    Some(address.to_canonical())
}

/// Whether the one `Host` header names this machine; a name that merely resolves to it does not count.
fn has_loopback_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return false };
    let name = authority.host();
    let address = parse_address(name.as_bytes());
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}
