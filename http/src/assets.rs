//! The embedded files: the dashboard and the tracker.
//!
//! `build.rs` prepares them at build time: a strong tag from a hash of the content, a compressed form where it is
//! smaller, and whether a name has a hash in it, so that its content never changes. How they are answered, with which
//! headers, is `files.rs`.

/// One embedded file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    /// The file as it is.
    pub(crate) body: &'static [u8],
    /// The file compressed with gzip, if that is worth it.
    pub(crate) gzip: Option<&'static [u8]>,
    pub(crate) content_type: &'static str,
    /// The tag of `body`, in its quotes.
    pub(crate) etag: &'static str,
    /// Another content would have another name.
    pub(crate) immutable: bool,
}

// `TRACKER` and `FILES`.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The dashboard's file at `path`; `/` is its page. The tracker is not among them.
pub(crate) fn find(path: &str) -> Option<Asset> {
    let wanted = if path == "/" { "/index.html" } else { path };
    FILES.iter().find(|(path, _)| *path == wanted).map(|(_, asset)| *asset)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn text(asset: &Asset) -> &'static str {
        str::from_utf8(asset.body).unwrap()
    }

    /// The values of `src="/..."` and `href="/..."`.
    fn links(html: &'static str) -> Vec<&'static str> {
        html.split('"').filter(|part| part.starts_with('/')).collect()
    }

    #[test]
    fn the_page_and_every_file_that_it_names_are_embedded() {
        let page = find("/").unwrap();
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        let links = links(text(&page));
        assert!(links.len() >= 3, "a script, a style sheet, an icon: {links:?}");
        for link in links {
            assert!(find(link).is_some(), "{link}");
        }
    }

    #[test]
    fn the_page_has_no_inline_code_which_its_policy_would_forbid() {
        let page = text(&find("/").unwrap());
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onload="));
        for tag in page.split("<script").skip(1) {
            assert!(tag.contains(" src=") && tag.contains("></script>"), "{tag}");
        }
    }

    #[test]
    fn only_names_with_a_hash_are_for_ever() {
        assert!(!find("/").unwrap().immutable && !find("/favicon.svg").unwrap().immutable);
        let page = text(&find("/").unwrap());
        let script = links(page).into_iter().find(|link| link.ends_with(".js")).unwrap();
        assert!(find(script).unwrap().immutable, "{script}");
    }

    #[test]
    fn tags_are_quoted_and_differ() {
        let mut tags: Vec<_> = FILES.iter().map(|(_, asset)| asset.etag).chain([TRACKER.etag]).collect();
        assert!(tags.iter().all(|tag| tag.len() == 34 && tag.starts_with('"') && tag.ends_with('"')), "{tags:?}");
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), FILES.len() + 1);
    }

    #[test]
    fn compressed_forms_unpack_to_the_file() {
        let assets: Vec<Asset> = FILES.iter().map(|(_, asset)| *asset).chain([TRACKER]).collect();
        assert!(assets.iter().any(|asset| asset.gzip.is_some()));
        for asset in assets {
            let Some(gzip) = asset.gzip else { continue };
            let mut plain = Vec::new();
            GzDecoder::new(gzip).read_to_end(&mut plain).unwrap();
            assert!(plain == asset.body && gzip.len() < asset.body.len(), "{}", asset.etag);
        }
    }

    #[test]
    fn the_tracker_is_small_and_not_one_of_the_pages_files() {
        assert_eq!(TRACKER.content_type, "text/javascript; charset=utf-8");
        assert!(TRACKER.gzip.is_some_and(|gzip| gzip.len() <= 1536));
        assert!(find("/mallard.js").is_none());
    }

    #[test]
    fn an_unknown_path_is_no_file() {
        for path in ["", "/app", "/../Cargo.toml", "/index.html/", "//"] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
