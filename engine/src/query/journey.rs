//! The vocabulary of ordered reports: steps and what is answered about them. Nothing here computes.

/// What an event must be to fill a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FunnelStep {
    /// Any event at exactly this path.
    Page(Box<str>),
    /// An event of exactly this name.
    Event(Box<str>),
}

/// Steps to be filled in their order, the last within a time of the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Funnel {
    /// The steps.
    pub steps: Vec<FunnelStep>,
    /// The longest time from the first step to the last, bound included; `None` for any time.
    pub window_us: Option<i64>,
}

/// How far visitors came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunnelReport {
    /// For each step, the visitors who filled it and all before it. Each UTC day counts apart.
    pub reached: Vec<u64>,
    /// All visitors of the span.
    pub visitors: u64,
}

/// One line of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRow {
    /// The page that was viewed next.
    pub next_page: String,
    /// Visitors whose first onward view led there.
    pub visitors: u64,
}

/// Over whose identity retention is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Users whom the site identifies.
    User,
    /// Visitors, whose ids end with the UTC day: nobody can be seen coming back.
    DailyVisitor,
}

/// One week's users and what became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohort {
    /// The Monday on which the week begins.
    pub date: String,
    /// Users first seen in this week, within the span.
    pub size: u64,
    /// Of these, the users with an event in the week that is as many weeks later as the index says; `None` for a week
    /// that has not begun, or that the identity cannot tell.
    pub retained: Vec<Option<u64>>,
    /// Over whose identity.
    pub identity: Identity,
}
