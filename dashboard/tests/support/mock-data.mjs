// Believable answers for the mock server: seeded, so that two runs draw the same pictures.

const DAY_MS = 86_400_000;
const DAYS = { day: 1, '7d': 7, '30d': 30, '90d': 90, month: 22, year: 326, '12mo': 357, all: 700 };

/** Weekdays are busier than weekends, the trend goes up, and one day was on a front page. */
function visitorsOn(dayNumber, random) {
  const weekday = dayNumber % 7;
  const weekend = weekday === 2 || weekday === 3 ? 0.62 : 1;
  const spike = dayNumber % 41 === 11 ? 2.1 : 1;
  const trend = 900 + (dayNumber % 700) * 0.7;
  return Math.round(trend * weekend * spike * (0.88 + random() * 0.24));
}

function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
  };
}

const iso = (ms) => new Date(ms).toISOString();
const dateOf = (ms) => iso(ms).slice(0, 10);

function spanOf(query, now) {
  const today = Date.parse(dateOf(now));
  const from = query.get('start_date');
  const to = query.get('end_date');
  if (from && to) return { start: Date.parse(from), days: (Date.parse(to) - Date.parse(from)) / DAY_MS + 1 };
  const days = DAYS[query.get('period')] ?? 30;
  return { start: today - (days - 1) * DAY_MS, days };
}

const filtersOf = (query) => JSON.parse(query.get('filters') ?? '[]');

/** The one value of a dimension that is left, if a filter says so. */
const wantedOf = (query, dimension) =>
  filtersOf(query).find(([operator, of]) => operator === 'is' && of === dimension)?.[2][0];

/** What of all visitors fits one value, or a text that it contains. */
function shareOf(dimension, fits) {
  const shares = Object.entries(SHARES[dimension] ?? {}).filter(([value]) => fits(value));
  return Math.min(
    shares.reduce((sum, [, share]) => sum + share, 0),
    1,
  );
}

function partOfFilter([operator, of, values]) {
  if (operator === 'has_done') return 0.06;
  if (operator === 'has_not_done') return 0.94;
  if (!SHARES[of]) return 0.3;
  const part = operator.startsWith('is')
    ? shareOf(of, (value) => values.includes(value))
    : shareOf(of, (value) => values.some((text) => value.includes(text)));
  return operator.endsWith('_not') ? 1 - part : part;
}

/** What is left of all visitors: dimensions are as if they had nothing to do with each other. */
const partOf = (query) => filtersOf(query).reduce((part, filter) => part * partOfFilter(filter), 1);

export function timeseries(query, now) {
  const part = partOf(query);
  const scaled = ({ visitors, pageviews, ...rest }) => ({
    ...rest,
    visitors: Math.round(visitors * part),
    pageviews: Math.round(pageviews * part),
  });
  return everyBucket(query, now).map(scaled);
}

function everyBucket(query, now) {
  if (query.get('period') === 'realtime') return minutes(now);
  const { start, days } = spanOf(query, now);
  if (days === 1) return hours(start, now);
  const all = Array.from({ length: days }, (_, i) => dayBucket(start + i * DAY_MS, now));
  return days > 366 ? months(all) : all;
}

function bucket(date, start, visitors) {
  return { date, visitors, pageviews: Math.round(visitors * 2.43), start: iso(start).replace('.000Z', 'Z') };
}

function dayBucket(ms, now) {
  const visitors = visitorsOn(ms / DAY_MS, randomFrom(ms / DAY_MS));
  const part = Math.min(Math.max((now - ms) / DAY_MS, 0), 1);
  return bucket(dateOf(ms), ms, Math.round(visitors * part));
}

function hours(start, now) {
  const random = randomFrom(start / DAY_MS);
  return Array.from({ length: 24 }, (_, hour) => {
    const at = start + hour * 3_600_000;
    const wave = 60 + 55 * Math.sin(((hour - 8) / 24) * 2 * Math.PI);
    const part = Math.min(Math.max((now - at) / 3_600_000, 0), 1);
    const label = `${dateOf(at)} ${String(hour).padStart(2, '0')}:00`;
    return bucket(label, at, Math.round(wave * part * (0.8 + random() * 0.4)));
  });
}

function minutes(now) {
  const last = now - (now % 60_000);
  return Array.from({ length: 6 }, (_, i) => {
    const at = last - (5 - i) * 60_000;
    return bucket(iso(at).slice(0, 16).replace('T', ' '), at, [4, 7, 5, 9, 8, 3][i]);
  });
}

function months(days) {
  const byMonth = new Map();
  for (const day of days) {
    const month = day.date.slice(0, 7);
    const sum = byMonth.get(month) ?? { ...day, date: `${month}-01`, visitors: 0, pageviews: 0 };
    sum.visitors += day.visitors;
    sum.pageviews += day.pageviews;
    byMonth.set(month, sum);
  }
  return [...byMonth.values()];
}

export function main(query, now) {
  const buckets = timeseries(query, now);
  const total = (metric) => buckets.reduce((sum, one) => sum + one[metric], 0);
  const visitors = total('visitors');
  const visits = Math.round(visitors * 1.18);
  return {
    unique_visitors: visitors,
    total_pageviews: total('pageviews'),
    bounce_rate: 0.413,
    avg_visit_duration_secs: 151.3,
    pages_per_visit: 2.43,
    visits,
    views_per_visit: total('pageviews') / Math.max(visits, 1),
    events: Math.round(visitors * 0.08),
  };
}

/** `report` of the range, and of the days that it is compared with. */
export function compared(report, query, now) {
  const { start, days } = spanOf(query, now);
  const back = query.get('compare') === 'year_over_year' ? 364 : days;
  const range = {
    start_date: query.get('compare_start_date') ?? dateOf(start - back * DAY_MS),
    end_date: query.get('compare_end_date') ?? dateOf(start + (days - 1 - back) * DAY_MS),
  };
  const other = new URLSearchParams({ ...Object.fromEntries(query), ...range });
  return { current: report(query, now), comparison: report(other, now), comparison_range: range };
}

const SHARES = {
  pages: {
    '/': 0.48,
    '/blog/a-write-ahead-log-in-a-weekend': 0.31,
    '/pricing': 0.17,
    '/docs/getting-started': 0.142,
    '/blog/what-fsync-really-promises-and-what-it-does-not': 0.12,
    '/docs/api/events': 0.082,
    '/about': 0.061,
    '/changelog': 0.052,
    '/docs/self-hosting/fly-io': 0.031,
    '/blog': 0.03,
    '/docs/privacy': 0.017,
    '/contact': 0.009,
  },
  sources: {
    '(direct)': 0.39,
    Google: 0.27,
    'news.ycombinator.com': 0.14,
    GitHub: 0.082,
    Twitter: 0.041,
    DuckDuckGo: 0.034,
    'lobste.rs': 0.022,
    Reddit: 0.015,
    LinkedIn: 0.008,
    'kagi.com': 0.006,
  },
  countries: {
    US: 0.33,
    DE: 0.16,
    GB: 0.09,
    FR: 0.072,
    IN: 0.061,
    NL: 0.045,
    CA: 0.043,
    '(unknown)': 0.031,
    BR: 0.024,
    JP: 0.02,
  },
  devices: { desktop: 0.61, mobile: 0.34, tablet: 0.05 },
  browsers: { Chrome: 0.52, Safari: 0.21, Firefox: 0.16, Edge: 0.07, Opera: 0.02, 'Samsung Internet': 0.01 },
  os: { macOS: 0.31, Windows: 0.29, iOS: 0.16, Android: 0.15, Linux: 0.08 },
  hostnames: { 'mallard.example': 0.92, 'www.mallard.example': 0.08 },
  referrers: {
    '(unknown)': 0.39,
    'https://www.google.com/': 0.27,
    'https://news.ycombinator.com/item?id=40512312': 0.14,
    'https://github.com/mallard-metrics/mallard-metrics': 0.082,
    'https://lobste.rs/': 0.022,
  },
  channels: { Direct: 0.39, 'Organic Search': 0.3, Referral: 0.16, 'Organic Social': 0.09, Email: 0.06 },
  utm_campaigns: { '(unknown)': 0.91, 'autumn-update': 0.06, launch: 0.03 },
  utm_sources: { '(unknown)': 0.91, newsletter: 0.06, 'hacker news': 0.03 },
  utm_mediums: { '(unknown)': 0.91, email: 0.06, social: 0.03 },
  utm_contents: { '(unknown)': 1 },
  utm_terms: { '(unknown)': 1 },
  regions: { California: 0.12, Bavaria: 0.07, England: 0.08, '(unknown)': 0.05, 'Île-de-France': 0.04 },
  cities: { 'San Francisco': 0.08, London: 0.07, Munich: 0.05, '(unknown)': 0.05, Paris: 0.03 },
  screen_sizes: { 1920: 0.31, 1440: 0.18, 390: 0.16, 412: 0.11, 2560: 0.07, 820: 0.04 },
  browser_versions: { '143.0': 0.48, 26.1: 0.19, '145.0': 0.12, 18.6: 0.04 },
  os_versions: { '10.15.7': 0.31, '10.0': 0.29, 26.1: 0.12, 16: 0.1, '(unknown)': 0.08 },
};

SHARES.entry_pages = SHARES.pages;
SHARES.exit_pages = SHARES.pages;

export function breakdown(dimension, query, now) {
  const { unique_visitors: visitors } = main(query, now);
  const limit = Number(query.get('limit') ?? 10);
  const wanted = wantedOf(query, dimension);
  const all = wanted === undefined ? SHARES[dimension] : { [wanted]: 1 };
  return Object.entries(all)
    .map(([value, share]) => ({
      value,
      visitors: Math.round(visitors * share),
      pageviews: Math.round(visitors * share * 1.6),
    }))
    .filter((row) => row.visitors > 0)
    .toSorted((a, b) => b.visitors - a.visitors)
    .slice(0, limit);
}

export function events(query, now) {
  const { unique_visitors: visitors } = main(query, now);
  const row = (value, share, revenue) => ({
    value,
    visitors: Math.round(visitors * share),
    pageviews: 0,
    events: Math.round(visitors * share * 1.2),
    revenue,
  });
  return [
    row('Signup', 0.06, []),
    row('Purchase', 0.012, [
      { currency: 'EUR', amount: '12345.5000' },
      { currency: 'USD', amount: '980.2500' },
    ]),
    row('Download', 0.008, []),
  ];
}

export function properties(query, now) {
  const values = { plan: { pro: 0.031, free: 0.024, team: 0.005 } }[query.get('key')] ?? {};
  const { unique_visitors: visitors } = main(query, now);
  return Object.entries(values).map(([value, share]) => ({
    value,
    visitors: Math.round(visitors * share),
    pageviews: 0,
    events: Math.round(visitors * share * 1.1),
    revenue: value === 'pro' ? [{ currency: 'EUR', amount: '980.0000' }] : [],
  }));
}

export function funnel(query, now) {
  const first = Math.round(main(query, now).unique_visitors * 0.48);
  let before = first;
  return query
    .get('steps')
    .split(',')
    .map((label, i) => {
      const visitors = Math.round(first * 0.42 ** i);
      const line = {
        step: i + 1,
        label,
        visitors,
        conversion_rate: visitors / Math.max(before, 1),
        overall_conversion_rate: visitors / Math.max(first, 1),
      };
      before = visitors;
      return line;
    });
}

export function retention(query, now, identity) {
  const weeks = Number(query.get('weeks'));
  const monday = now - ((Math.floor(now / DAY_MS) + 3) % 7) * DAY_MS;
  return Array.from({ length: 5 }, (_, i) => {
    const size = 900 + i * 40;
    const retained = Array.from({ length: weeks }, (_, week) => {
      if (week > 4 - i || (week > 0 && identity !== 'user')) return null;
      return week === 0 ? size : Math.round(size * 0.4 * 0.8 ** week);
    });
    return {
      cohort_date: dateOf(monday - (4 - i) * 7 * DAY_MS),
      cohort_size: size,
      retained,
      retained_any: retained.map((count) => count && count > 0),
      identity,
    };
  });
}

export function flow(query, now) {
  return breakdown('pages', query, now)
    .filter((row) => row.value !== query.get('page'))
    .map((row) => ({ next_page: row.value, visitors: Math.round(row.visitors * 0.2) }));
}

export function journeys(query, now) {
  const { unique_visitors: visits } = main(query, now);
  const share = (part) => Math.round(visits * part);
  return {
    visits,
    steps: [
      { step: 1, reached: share(0.6), dropped: visits - share(0.6), pages: [], other: 0 },
      { step: 2, reached: share(0.3), dropped: share(0.6) - share(0.3), pages: [], other: 0 },
    ],
    paths: [
      { pages: [], visits: share(0.4) },
      { pages: ['/pricing'], visits: share(0.3) },
      { pages: ['/docs/getting-started', '/docs/api/events'], visits: share(0.2) },
    ],
    other: visits - share(0.4) - share(0.3) - share(0.2),
  };
}

export function goals(list, query, now) {
  const { unique_visitors: visitors } = main(query, now);
  return list.map(({ id, name }) => ({
    id,
    name,
    conversions: Math.round(visitors * 0.07),
    unique_conversions: Math.round(visitors * 0.06),
    conversion_rate: 0.06,
    revenue: [],
  }));
}

export function realtime(now) {
  const last = now - (now % 60_000);
  const series = Array.from({ length: 30 }, (_, i) => {
    const at = last - (29 - i) * 60_000;
    return bucket(iso(at).slice(0, 16).replace('T', ' '), at, (i * 7) % 11);
  });
  return { visitors: 23, pageviews: 61, events: 4, visits: 24, minutes: series };
}

export const SITES = [
  site('mallard.example', 'Europe/Berlin', 184_233),
  site('docs.mallard.example', null, 20_441),
  site('a-rather-long-name-for-a-little-blog.example', null, 312),
];

export function site(site_id, timezone, events_total) {
  return {
    site_id,
    timezone,
    identify_users: false,
    first_event_at: null,
    last_event_at: null,
    events_total,
  };
}

export function key(name, scope, sites) {
  return {
    key_hash: Buffer.from(name).toString('hex').padEnd(64, '0'),
    name,
    scope,
    sites,
    created_at: '2026-01-31T12:00:00Z',
    revoked: false,
    expires_at: null,
  };
}
