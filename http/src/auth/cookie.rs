//! The session cookie: `mm_session=<64 hex>; HttpOnly; SameSite=Strict; Path=/; Max-Age=<ttl>[; Secure]`.
//!
//! Scripts cannot read it, and no other site's page can make a browser send it.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue, InvalidHeaderValue};

use super::token::Token;

const NAME: &str = "mm_session";
/// A browser sends one; a few may come from leftovers on parent domains. More are not looked at.
const PRESENTED_MAX: usize = 4;

/// Whether the request carries a session cookie, whatever is in it.
pub(crate) fn is_present(headers: &HeaderMap) -> bool {
    values(headers).next().is_some()
}

/// The tokens that the request presents.
pub(crate) fn presented(headers: &HeaderMap) -> Vec<Token> {
    values(headers).take(PRESENTED_MAX).filter_map(Token::parse).collect()
}

/// `Set-Cookie` for a new session.
pub(crate) fn issue(token: &Token, ttl_secs: u32, is_secure: bool) -> Result<HeaderValue, InvalidHeaderValue> {
    set(token.as_str(), ttl_secs, is_secure)
}

/// `Set-Cookie` that makes the browser forget the session.
pub(crate) fn clear(is_secure: bool) -> Result<HeaderValue, InvalidHeaderValue> {
    set("", 0, is_secure)
}

fn set(value: &str, max_age_secs: u32, is_secure: bool) -> Result<HeaderValue, InvalidHeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age_secs}{secure}");
    let mut header = HeaderValue::try_from(text)?;
    header.set_sensitive(true);
    Ok(header)
}

fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == NAME).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::Bytes;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn the_cookie_has_exactly_the_promised_attributes() {
        let token = Token::random(&Bytes::default());
        let text = token.as_str();
        assert_eq!(
            issue(&token, 86_400, false).unwrap(),
            format!("mm_session={text}; HttpOnly; SameSite=Strict; Path=/; Max-Age=86400")
        );
        assert_eq!(
            issue(&token, 60, true).unwrap(),
            format!("mm_session={text}; HttpOnly; SameSite=Strict; Path=/; Max-Age=60; Secure")
        );
        assert_eq!(clear(false).unwrap(), "mm_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
        assert_eq!(clear(true).unwrap(), "mm_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0; Secure");
    }

    #[test]
    fn tokens_are_found_among_other_cookies_and_on_several_lines() {
        let entropy = Bytes::default();
        let [first, second] = [(); 2].map(|()| Token::random(&entropy));
        let lines = [format!("a=b; mm_session={}; c", first.as_str()), format!("mm_session={}", second.as_str())];
        let headers = headers(&lines.each_ref().map(String::as_str));
        assert!(presented(&headers) == [first, second]);
    }

    #[test]
    fn other_names_and_malformed_values_are_no_tokens() {
        let token = "0".repeat(64);
        for line in [format!("xmm_session={token}"), format!("MM_SESSION={token}"), format!("a=mm_session={token}")] {
            let headers = headers(&[&line]);
            assert!(presented(&headers).is_empty() && !is_present(&headers), "{line}");
        }
        let malformed = headers(&["mm_session=abc"]);
        assert!(presented(&malformed).is_empty() && is_present(&malformed));
    }

    #[test]
    fn only_a_few_tokens_of_one_request_are_looked_at() {
        let line = format!("mm_session={}; ", "0".repeat(64)).repeat(100);
        assert_eq!(presented(&headers(&[&line])).len(), PRESENTED_MAX);
    }
}
