//! Figures that are not counted here but kept by others: read from the engine and the configuration at each scrape.

use std::fmt;

use mallard_engine::{CacheFigures, Ingest, SYNC_BUCKETS_US, Status, Totals};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::app::App;

/// Everything at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    status: Status,
    totals: Totals,
    cache: CacheFigures,
    auth_configured: bool,
    geoip_loaded: bool,
    filter_bots: bool,
}

/// Name without prefix, help, value.
type Figure = (&'static str, &'static str, u64);

impl Snapshot {
    pub(super) fn of(app: &App) -> Self {
        Self {
            status: app.engine.status(),
            totals: app.engine.totals(),
            cache: app.engine.cache(),
            auth_configured: app.auth.is_configured(),
            geoip_loaded: app.enrich.geoip_loaded(),
            filter_bots: app.config.filter_bots,
        }
    }

    fn gauges(&self) -> Vec<Figure> {
        let status = &self.status;
        let mut gauges = vec![
            ("buffered_events", "Events durable in the log and not yet in Parquet", status.buffered_events),
            ("cache_entries", "Days of answers in the cache", self.cache.entries),
            ("auth_configured", "Whether a password is set", self.auth_configured.into()),
            ("geoip_loaded", "Whether a GeoIP database is loaded", self.geoip_loaded.into()),
            ("behavioral_extension", "Behavioural functions are part of the binary", 1),
            ("filter_bots", "Whether events of bots are dropped", self.filter_bots.into()),
            ("wal_durable_lsn", "Newest committed position of the log", status.durable_lsn),
            ("wal_compacted_lsn", "Position through which the log is in Parquet", status.compacted_lsn),
            ("wal_bytes", "Bytes of log segments", status.wal_bytes),
            ("wal_poisoned", "Whether a failed write has stopped the log", (status.ingest == Ingest::Poisoned).into()),
            ("ingest_queue_bytes", "Bytes waiting for the next group commit", status.queue_bytes),
            ("dedup_entries", "Ids of events by which retries are recognised", status.dedup_ids),
            (
                "dedup_window_seconds",
                "How far back every such id is known",
                status.dedup_window_us.unsigned_abs() / 1_000_000,
            ),
            ("sites", "Sites with a stored event", status.sites),
            ("events_stored", "Events in files and in the log", status.balance.stored),
            ("parquet_files", "Live Parquet files", status.parquet_files),
            ("quarantined_files", "Records and files set aside as damaged", status.quarantined),
        ];
        gauges.push(("maintenance_failing", "Kinds of maintenance that go on failing", status.failing));
        gauges.push(("disk_reserve_bytes", "Free space below which events are refused", status.disk_reserve_bytes));
        let free = status.disk_free_bytes;
        gauges.extend(free.map(|bytes| ("disk_free_bytes", "Free space of the volume", bytes)));
        gauges
    }

    fn counters(&self) -> [Figure; 8] {
        [
            ("events_ingested", "Events accepted since the store was made", self.status.balance.accepted),
            ("flush_failures", "Failed compactions", self.totals.compaction_failures),
            ("maintenance_failures", "Failures of other maintenance", self.totals.maintenance_failures),
            ("cache_hits", "Days of answers taken from the cache", self.cache.hits),
            ("cache_misses", "Days of answers that were computed", self.cache.misses),
            ("events_erased", "Events removed by erasures, since the store was made", self.status.balance.erased),
            ("events_expired", "Events removed by retention, since the store was made", self.status.balance.expired),
            ("wal_lost_lsn", "Acknowledged positions that damage has destroyed", self.status.lost_lsns),
        ]
    }

    fn encode_compactions(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let outcomes = [("published", self.totals.compactions), ("failed", self.totals.compaction_failures)];
        encode_outcomes(encoder, "compactions", "Compactions by outcome.", outcomes)
    }

    fn encode_erasures(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let outcomes = [("erased", self.totals.erasures), ("incomplete", self.totals.erasure_failures)];
        encode_outcomes(encoder, "erasures", "Erasures by outcome.", outcomes)
    }

    fn encode_build_info(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor("build_info", "The running version.", None, MetricType::Gauge)?;
        ConstGauge::new(1_u64).encode(family.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?)
    }

    #[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
    fn encode_fsync(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let bounds = SYNC_BUCKETS_US.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.totals.sync_counts).collect();
        let help = "Time that one fdatasync of the log takes.";
        let mut metric = encoder.encode_descriptor("wal_fsync_seconds", help, None, MetricType::Histogram)?;
        let sum = self.totals.sync_us as f64 / 1e6;
        metric.encode_histogram::<[(&str, &str); 0]>(sum, self.totals.sync_counts.iter().sum(), &buckets, None)
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, value) in self.gauges() {
            let metric = encoder.encode_descriptor(name, &format!("{help}."), None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        for (name, help, value) in self.counters() {
            let metric = encoder.encode_descriptor(name, &format!("{help}."), None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        self.encode_compactions(&mut encoder)?;
        self.encode_erasures(&mut encoder)?;
        Self::encode_build_info(&mut encoder)?;
        self.encode_fsync(&mut encoder)
    }
}

fn encode_outcomes(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    outcomes: [(&str, u64); 2],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (outcome, count) in outcomes {
        ConstCounter::new(count).encode(family.encode_family(&[("outcome", outcome)])?)?;
    }
    Ok(())
}
