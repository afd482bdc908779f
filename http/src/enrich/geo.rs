//! Where a client is, from a City file of `MaxMind`: country, region and city, as coarse as the operator asked for.
//!
//! The file is the operator's own and optional. One that is missing or broken costs the places, never an event: it is a
//! warning at start, and the columns stay NULL. It is read into memory once, at start, so it costs its size in memory
//! (a City file has 60 MB or more, a Country file, which also works, less than 10), and replacing it needs a restart.
//!
//! A failed look-up is not logged: the library's message names the address.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, PathElement, Reader};
use smol_str::SmolStr;
use tracing::{info, warn};

#[cfg(test)]
mod tests;

/// How exactly places are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// Not at all.
    None,
    /// The country.
    Country,
    /// The country and its first subdivision.
    Region,
    /// All of it.
    #[default]
    City,
}

/// Where a client is; what is unknown or too precise is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 code.
    pub country_code: Option<SmolStr>,
    /// First subdivision, in English.
    pub region: Option<SmolStr>,
    /// City, in English.
    pub city: Option<SmolStr>,
}

/// The loaded file, if there is one.
#[derive(Debug, Default)]
pub struct Geo {
    reader: Option<Reader<Vec<u8>>>,
    precision: Precision,
}

impl Geo {
    /// Loads `path`; warns if that fails.
    pub fn load(path: Option<&Path>, precision: Precision) -> Self {
        let reader = path.filter(|_| precision > Precision::None).and_then(read);
        Self { reader, precision }
    }

    /// Whether places can be found at all.
    pub fn is_loaded(&self) -> bool {
        self.reader.is_some()
    }

    /// The place of `address`.
    pub fn place(&self, address: IpAddr) -> Place {
        self.try_place(address).ok().flatten().unwrap_or_default()
    }

    fn try_place(&self, address: IpAddr) -> Result<Option<Place>, MaxMindDbError> {
        use PathElement::{Index, Key};
        let Some(reader) = &self.reader else { return Ok(None) };
        let found = reader.lookup(address)?;
        let text_at = |least: Precision, path: &[PathElement<'_>]| {
            if self.precision < least {
                Ok(None)
            } else {
                found.decode_path::<&str>(path).map(|text| text.map(SmolStr::new))
            }
        };
        Ok(Some(Place {
            country_code: text_at(Precision::Country, &[Key("country"), Key("iso_code")])?,
            region: text_at(Precision::Region, &[Key("subdivisions"), Index(0), Key("names"), Key("en")])?,
            city: text_at(Precision::City, &[Key("city"), Key("names"), Key("en")])?,
        }))
    }
}

fn read(path: &Path) -> Option<Reader<Vec<u8>>> {
    match Reader::open_readfile(path) {
        Ok(reader) => {
            let metadata = reader.metadata();
            info!(kind = metadata.database_type, "Loaded GeoIP database");
            Some(reader)
        }
        Err(error) => {
            let path = path.display();
            warn!(%path, %error, "GeoIP database cannot be used; places stay unknown");
            None
        }
    }
}
