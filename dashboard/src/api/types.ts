// What the server is asked and what it answers, as types.

export type Dimension =
  | 'pages'
  | 'entry_pages'
  | 'exit_pages'
  | 'hostnames'
  | 'sources'
  | 'referrers'
  | 'channels'
  | 'utm_campaigns'
  | 'utm_sources'
  | 'utm_mediums'
  | 'utm_contents'
  | 'utm_terms'
  | 'countries'
  | 'regions'
  | 'cities'
  | 'devices'
  | 'screen_sizes'
  | 'browsers'
  | 'browser_versions'
  | 'os'
  | 'os_versions';

/**
 * - `is` to `matches_not`: about the value of an event, or of its visit where the dimension is one of visits
 * - `has_done`, `has_not_done`: whether the visit has any event with this value, which keeps all of its events
 */
export type Operator =
  'is' | 'is_not' | 'contains' | 'contains_not' | 'matches' | 'matches_not' | 'has_done' | 'has_not_done';

/** What can be filtered by: also events by their names, goals by theirs, properties by their keys, segments by their ids. */
export type FilterDimension = Dimension | 'event' | 'goal' | 'segment' | `props:${string}`;

/** Only what is so with one of the values; with a `not`, with none. The word for a missing value finds what has none. */
export interface Filter {
  operator: Operator;
  dimension: FilterDimension;
  values: readonly string[];
}

/** What a stats request is about; `period` counts unless both dates are given. */
export interface Question {
  site: string;
  period: string;
  from: string | null;
  to: string | null;
  filters: readonly Filter[];
}

/** The days that an answer is compared with; the two dates are set exactly if they are of one's own. */
export interface Comparison {
  kind: 'previous_period' | 'year_over_year' | 'custom';
  from: string | null;
  to: string | null;
  /** Moved by a few days, so that both ranges begin on the same day of the week. */
  weekdays: boolean;
}

/** A report, and the same of other days; both null unless they were asked for. */
export interface Compared<T> {
  current: T;
  comparison: T | null;
  range: { start_date: string; end_date: string } | null;
}

export interface Figures {
  unique_visitors: number;
  total_pageviews: number;
  visits: number;
  views_per_visit: number;
  bounce_rate: number;
  /** null: every visit of the range has hour-rounded times. */
  avg_visit_duration_secs: number | null;
}

export interface Bucket {
  /** Local to the site: `2024-01-15 10:00` or `2024-01-15`, the first minute or day of the bucket. */
  date: string;
  /** The same instant, RFC 3339 in UTC. */
  start: string;
  visitors: number;
  pageviews: number;
}

export interface Row {
  value: string;
  visitors: number;
  pageviews: number;
}

/** A custom event, or a value of a property. */
export interface EventRow extends Row {
  events: number;
  /** One sum for each currency, decimal text; never added up. */
  revenue: { currency: string | null; amount: string }[];
}

export interface FunnelStep {
  step: number;
  label: string;
  visitors: number;
  /** From the step before. */
  conversion_rate: number;
  overall_conversion_rate: number;
}

export interface Cohort {
  cohort_date: string;
  cohort_size: number;
  /** null: the week has not begun, or the identity cannot tell. */
  retained: (number | null)[];
  identity: 'user' | 'daily_visitor';
}

export interface NextPage {
  next_page: string;
  visitors: number;
}

export interface Journeys {
  visits: number;
  steps: { step: number; reached: number; dropped: number }[];
  paths: { pages: string[]; visits: number }[];
  other: number;
}

export interface Goal {
  id: number;
  name: string;
  conversions: number;
  unique_conversions: number;
  conversion_rate: number;
  revenue: { currency: string | null; amount: string }[];
}

export interface Realtime {
  visitors: number;
  pageviews: number;
  events: number;
  minutes: Bucket[];
}

/** A goal as it is kept; one of `page` and `event` is there. */
export interface KeptGoal {
  id: number;
  name: string;
  page?: string;
  event?: string;
}

/** Filters under a name. `filters` is JSON as the server reads it, which may say more than this page can. */
export interface Segment {
  id: number;
  name: string;
  filters: unknown;
}

export type Scope = 'ReadOnly' | 'Ingest' | 'Admin';

export interface Key {
  key_hash: string;
  name: string;
  scope: Scope;
  /** null: all sites. */
  sites: string[] | null;
  /** RFC 3339; null: never. */
  expires_at: string | null;
  created_at: string;
  revoked: boolean;
}

export interface Site {
  site_id: string;
  timezone: string | null;
  identify_users: boolean;
  events_total: number;
}

/** An answer, and the days it had to leave out because their data is damaged. */
export interface Answer<T> {
  value: T;
  incomplete: string | null;
}
