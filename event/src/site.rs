//! [`SiteId`]: which site an event belongs to, and the folder that holds the site's files.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::Invalid;
use crate::text::text_newtype;

const BYTES_MAX: usize = 256;
/// Longer ids are cut for their folder, so that the name stays below the 255 bytes that file systems allow.
const FOLDER_VERBATIM_BYTES_MAX: usize = 200;
const FOLDER_PREFIX_BYTES: usize = 150;
const FOLDER_DIGEST_BYTES: usize = 16;

const _: () = assert!(FOLDER_PREFIX_BYTES < FOLDER_VERBATIM_BYTES_MAX);
const _: () = assert!("site_id=".len() + FOLDER_PREFIX_BYTES + 1 + 2 * FOLDER_DIGEST_BYTES <= 255);

text_newtype! {
    /// The id of a site: 1 to 256 of `A-Z a-z 0-9 . _ : -`, usually its domain. Case counts.
    SiteId
}

impl SiteId {
    /// Takes an id as a client or an operator wrote it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_valid = (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(is_site_byte);
        if is_valid {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new("site id", "must be 1 to 256 of A-Z a-z 0-9 . _ : -"))
        }
    }

    /// What stands for this site in the name of its folder, `site_id=<S>`: the id if it has at most 200 bytes, else its
    /// first 150 bytes, `~`, and 32 hex digits of its SHA-256.
    ///
    /// It has no separator, so `site_id=<S>` is one component of a path for every id; the prefix is what keeps the ids
    /// `.` and `..` inside. No two ids have the same: `~` is not a character of ids, so a cut id is never another
    /// site's id.
    pub fn folder(&self) -> String {
        let id = self.as_str();
        match id.get(..FOLDER_PREFIX_BYTES) {
            Some(prefix) if id.len() > FOLDER_VERBATIM_BYTES_MAX => format!("{prefix}~{}", digest_hex(id)),
            _ => id.to_owned(),
        }
    }
}

fn is_site_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-')
}

fn digest_hex(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(FOLDER_DIGEST_BYTES).fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn site(text: &str) -> SiteId {
        SiteId::parse(text).unwrap()
    }

    #[test]
    fn an_id_is_1_to_256_of_its_alphabet() {
        for accepted in ["a", "example.com", "A-Z_0:9", "..", ".", &"x".repeat(256)] {
            assert_eq!(site(accepted).as_str(), accepted);
        }
        for refused in ["", "a,b", "a b", "a/b", "a~b", "é", "a\0", "a\\b", &"x".repeat(257)] {
            let error = SiteId::parse(refused).unwrap_err();
            assert_eq!(error.to_string(), "site id must be 1 to 256 of A-Z a-z 0-9 . _ : -", "{refused:?}");
        }
    }

    #[test]
    fn a_short_id_is_its_own_folder_and_a_long_one_is_cut_and_hashed() {
        assert_eq!(site("example.com").folder(), "example.com");
        assert_eq!(site(&"x".repeat(200)).folder(), "x".repeat(200));
        // printf 'x%.0s' {1..201} | sha256sum
        let long = site(&"x".repeat(201)).folder();
        assert_eq!(long, format!("{}~84a0678c90937f5dcf9994d5866668da", "x".repeat(150)));
    }

    #[test]
    fn a_folder_is_one_component_of_a_path_for_every_id() {
        for id in [".", "..", "...", "a..b", "C:", "-rf", &"x".repeat(256)] {
            let folder = format!("site_id={}", site(id).folder());
            let components: Vec<_> = std::path::Path::new(&folder).components().collect();
            assert!(matches!(components.as_slice(), [std::path::Component::Normal(_)]), "{folder}");
            assert!(folder.len() <= 255, "{folder}");
        }
    }

    #[test]
    fn two_sites_never_share_a_folder() {
        let mut ids: Vec<String> = (1..=256).map(|length| "x".repeat(length)).collect();
        for last in ["a", "A", ".", "-", ":", "_", "0"] {
            for length in [1, 149, 150, 151, 199, 200, 201, 255] {
                ids.push(format!("{}{last}", "x".repeat(length)));
                ids.push(format!("{}{last}", "X".repeat(length)));
            }
        }
        let ids: HashSet<String> = ids.into_iter().collect();
        let folders: HashSet<String> = ids.iter().map(|id| site(id).folder()).collect();
        assert_eq!(folders.len(), ids.len());
    }
}
