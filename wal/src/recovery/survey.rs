//! A look at the folder before anything is touched: which files there are, and whether all of them are ours.

use std::path::{Path, PathBuf};

use super::image::Image;
use crate::disk::Disk;
use crate::names::Name;
use crate::segment::{HEADER_BYTES, HeaderError, SegmentHeader};
use crate::{Error, Lsn};

/// A segment file.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    /// The first LSN, by its name.
    pub(crate) base: Lsn,
    pub(crate) bytes: u64,
    /// Its header; none if the page is damaged.
    pub(crate) header: Option<SegmentHeader>,
}

/// The files of the folder.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// In log order.
    pub(crate) segments: Vec<Found>,
    /// Files that never got their name.
    pub(crate) unfinished: Vec<PathBuf>,
}

impl Survey {
    /// Lists the folder. Files of other stores and newer formats, and segments under a wrong name, are refused.
    pub(crate) fn take(disk: &dyn Disk, dir: &Path, store_id: u128) -> Result<Self, Error> {
        let mut survey = Self::default();
        for entry in disk.list(dir).map_err(Error::io("list", dir))? {
            let path = dir.join(&entry.name);
            match Name::parse(&entry.name) {
                _ if entry.is_dir => {}
                Name::Segment(base) => {
                    let header = header_of(disk, &path, base, store_id)?;
                    survey.segments.push(Found { path, base, bytes: entry.bytes, header });
                }
                Name::Unfinished => survey.unfinished.push(path),
                Name::Misnamed => return Err(Error::Misnamed { path }),
                Name::Other => {}
            }
        }
        survey.segments.sort_by_key(|found| found.base);
        Ok(survey)
    }

    /// The highest value of a header field, 0 if there is no sound header.
    pub(crate) fn highest(&self, field: impl Fn(&SegmentHeader) -> u64) -> u64 {
        let headers = self.segments.iter().filter_map(|found| found.header.as_ref());
        headers.map(field).max().unwrap_or(0)
    }
}

/// The first LSN of the oldest segment in `dir`, by its name; `None` if there is none.
pub fn first_lsn(disk: &dyn Disk, dir: &Path) -> Result<Option<Lsn>, Error> {
    let entries = disk.list(dir).map_err(Error::io("list", dir))?;
    let bases = entries.iter().filter_map(|entry| match Name::parse(&entry.name) {
        Name::Segment(base) if !entry.is_dir => Some(base),
        _ => None,
    });
    Ok(bases.min())
}

/// The segments in `dir` that a survey refuses, and that can be set right by giving them another place: files of other
/// stores, and those whose name is not that of their first LSN, with that LSN where their header tells it.
///
/// # Errors
/// [`Error::Refused`] for a segment of a newer format: only a newer program knows what it is.
pub fn strangers(disk: &dyn Disk, dir: &Path, store_id: u128) -> Result<Vec<(PathBuf, Option<Lsn>)>, Error> {
    let mut strangers = Vec::new();
    for entry in disk.list(dir).map_err(Error::io("list", dir))?.into_iter().filter(|entry| !entry.is_dir) {
        let path = dir.join(&entry.name);
        let name = Name::parse(&entry.name);
        if !matches!(name, Name::Segment(_) | Name::Misnamed) {
            continue;
        }
        let file = disk.open(&path).map_err(Error::io("open", &path))?;
        let mut page = Image::default();
        page.read_first(file.as_ref(), HEADER_BYTES as u64).map_err(Error::io("read", &path))?;
        match SegmentHeader::parse(page.bytes(), store_id) {
            Ok(header) if name == Name::Segment(header.base_lsn) => {}
            Ok(header) => strangers.push((path, Some(header.base_lsn))),
            Err(HeaderError::Foreign { .. }) => strangers.push((path, None)),
            Err(HeaderError::Damaged) if name == Name::Misnamed => strangers.push((path, None)),
            Err(HeaderError::Damaged) => {}
            Err(source) => return Err(Error::Refused { path, source }),
        }
    }
    Ok(strangers)
}

fn header_of(disk: &dyn Disk, path: &Path, base: Lsn, store_id: u128) -> Result<Option<SegmentHeader>, Error> {
    let file = disk.open(path).map_err(Error::io("open", path))?;
    let mut page = Image::default();
    page.read_first(file.as_ref(), HEADER_BYTES as u64).map_err(Error::io("read", path))?;
    match SegmentHeader::parse(page.bytes(), store_id) {
        Ok(header) if header.base_lsn == base => Ok(Some(header)),
        Ok(_) => Err(Error::Misnamed { path: path.to_owned() }),
        Err(HeaderError::Damaged) => Ok(None),
        Err(source) => Err(Error::Refused { path: path.to_owned(), source }),
    }
}
