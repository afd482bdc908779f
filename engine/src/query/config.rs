//! What queries may use.

/// Bounds of the query engine. Ingest never waits for any of them.
#[derive(Clone, Debug)]
pub struct QueryConfig {
    /// Memory of DuckDB, in megabytes; what does not fit is spilled.
    pub memory_mb: u64,
    /// Threads of DuckDB.
    pub threads: usize,
    /// The most that DuckDB may spill into the data directory.
    pub temp_bytes_max: u64,
    /// How long a query may take.
    pub timeout_us: i64,
    /// Queries inside of DuckDB at one time; more wait for their turn.
    pub concurrent_max: usize,
    /// Memory of cached partials.
    pub cache_bytes_max: usize,
    /// Cached partials; 0: as many as the memory allows.
    pub cache_entries_max: usize,
    /// How long a cached partial is used; 0: none is kept.
    pub cache_ttl_us: i64,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            memory_mb: 64,
            threads: 1,
            temp_bytes_max: 1 << 30,
            timeout_us: 30_000_000,
            concurrent_max: 2,
            cache_bytes_max: 8 << 20,
            cache_entries_max: 10_000,
            cache_ttl_us: 60_000_000,
        }
    }
}
