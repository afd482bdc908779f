//! Progress of long work, drawn on standard error, and only if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over bytes, with the word for what is done to them.
pub(crate) fn of_bytes(doing: &str) -> ProgressBar {
    let template = format!("{doing} [{{bar:40}}] {{bytes}} of {{total_bytes}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// Moves a bar on.
pub(crate) fn show(bar: &ProgressBar) -> impl FnMut(u64, u64) {
    |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    }
}
