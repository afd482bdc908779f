//! The dimensions of breakdowns: one line each, naming the column it reads and how its values are counted.

/// Whose value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Each event's own. A visitor counts once per value that any of its events had.
    Event,
    /// That of the session's first pageview, or of its first event if it has no pageview, so that clicks within the site
    /// do not turn visits into direct ones. Visitors with such a session, pageviews of such sessions.
    Session,
    /// That of the session's first pageview, where there is one.
    Entry,
    /// That of the session's last pageview, where there is one.
    Exit,
}

impl Scope {
    /// Whether sessions are counted, not events.
    pub(super) const fn is_of_sessions(self) -> bool {
        !matches!(self, Self::Event)
    }
}

macro_rules! dimensions {
    ($($dimension:ident $name:literal, $scope:ident $column:literal, $null:literal;)+) => {
        /// What a breakdown is by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Dimension {
            $(#[doc = concat!("`", $name, "`: the column `", $column, "`.")] $dimension,)+
        }

        impl Dimension {
            /// Every dimension.
            pub const ALL: &[Self] = &[$(Self::$dimension),+];

            /// Its name in a URL.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$dimension => $name,)+ }
            }

            /// What stands for a missing value.
            pub const fn null_label(self) -> &'static str {
                match self { $(Self::$dimension => $null,)+ }
            }

            pub(super) const fn column(self) -> &'static str {
                match self { $(Self::$dimension => $column,)+ }
            }

            pub(super) const fn scope(self) -> Scope {
                match self { $(Self::$dimension => Scope::$scope,)+ }
            }
        }
    };
}

// To add a dimension, add a line. The name is that of `GET /api/stats/breakdown/{name}`.
dimensions! {
    Pages "pages", Event "pathname", "(unknown)";
    Sources "sources", Session "referrer_source", "(direct)";
    Browsers "browsers", Event "browser", "(unknown)";
    Os "os", Event "os", "(unknown)";
    Devices "devices", Event "device_type", "(unknown)";
    Countries "countries", Event "country_code", "(unknown)";
    Referrers "referrers", Session "referrer", "(unknown)";
    Channels "channels", Session "channel", "(unknown)";
    UtmSources "utm_sources", Session "utm_source", "(unknown)";
    UtmMediums "utm_mediums", Session "utm_medium", "(unknown)";
    UtmCampaigns "utm_campaigns", Session "utm_campaign", "(unknown)";
    UtmContents "utm_contents", Session "utm_content", "(unknown)";
    UtmTerms "utm_terms", Session "utm_term", "(unknown)";
    BrowserVersions "browser_versions", Event "browser_version", "(unknown)";
    OsVersions "os_versions", Event "os_version", "(unknown)";
    ScreenSizes "screen_sizes", Event "screen_size", "(unknown)";
    Regions "regions", Event "region", "(unknown)";
    Cities "cities", Event "city", "(unknown)";
    Hostnames "hostnames", Event "hostname", "(unknown)";
    EntryPages "entry_pages", Entry "pathname", "(unknown)";
    ExitPages "exit_pages", Exit "pathname", "(unknown)";
}

impl Dimension {
    /// The dimension that a URL names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dimension| dimension.name() == name)
    }
}

/// Which dimensions one pass over a day tabulates: a set, part of the key of a cached partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Facets(u32);

const _: () = assert!(Dimension::ALL.len() <= u32::BITS as usize);

impl Facets {
    /// Only the totals.
    pub(super) const NONE: Self = Self(0);
    /// The six panels of the default dashboard: whoever asks for one is about to ask for all of them.
    pub(super) const DASHBOARD: Self = Self::only(Dimension::Pages)
        .and(Dimension::Sources)
        .and(Dimension::Browsers)
        .and(Dimension::Os)
        .and(Dimension::Devices)
        .and(Dimension::Countries);

    pub(super) const fn only(dimension: Dimension) -> Self {
        Self::NONE.and(dimension)
    }

    pub(super) const fn contains(self, dimension: Dimension) -> bool {
        self.0 & (1 << dimension as u32) != 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Dimension> {
        Dimension::ALL.iter().copied().filter(move |dimension| self.contains(*dimension))
    }

    const fn and(self, dimension: Dimension) -> Self {
        Self(self.0 | 1 << dimension as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_is_found_by_its_name_and_names_are_distinct() {
        for dimension in Dimension::ALL {
            assert_eq!(Dimension::from_name(dimension.name()), Some(*dimension));
        }
        assert_eq!(Dimension::from_name("page"), None);
    }

    #[test]
    fn the_dashboard_tabulates_its_six_panels() {
        let names: Vec<&str> = Facets::DASHBOARD.iter().map(Dimension::name).collect();
        assert_eq!(names, ["pages", "sources", "browsers", "os", "devices", "countries"]);
    }

    #[test]
    fn every_dimension_reads_a_text_column_of_the_column_table() {
        let schema = mallard_event::columns::schema();
        for dimension in Dimension::ALL {
            let field = schema.field_with_name(dimension.column()).unwrap();
            assert_eq!(field.data_type(), &arrow::datatypes::DataType::Utf8, "{dimension:?}");
        }
    }
}
