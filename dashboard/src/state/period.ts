// The periods a person can choose, in the order of the menu, with their keyboard shortcuts.

export interface Period {
  /** The server's name for it. */
  id: PeriodId;
  label: string;
  key: string;
}

export type PeriodId =
  'realtime' | 'day' | '7d' | '30d' | '90d' | 'month' | 'year' | '12mo' | 'all' | 'custom';

export const PERIODS: readonly Period[] = [
  { id: 'realtime', label: 'Realtime', key: 'r' },
  { id: 'day', label: 'Today', key: 'd' },
  { id: '7d', label: 'Last 7 days', key: 'w' },
  { id: '30d', label: 'Last 30 days', key: 't' },
  { id: '90d', label: 'Last 90 days', key: 'n' },
  { id: 'month', label: 'Month to date', key: 'm' },
  { id: 'year', label: 'Year to date', key: 'y' },
  { id: '12mo', label: 'Last 12 months', key: 'l' },
  { id: 'all', label: 'All time', key: 'a' },
  { id: 'custom', label: 'Custom range', key: 'c' },
];

export const DEFAULT_PERIOD: PeriodId = '30d';

export const isPeriod = (id: string | null): id is PeriodId => PERIODS.some((period) => period.id === id);

/** The days of a period whose last one is `today`; null where only the server knows them. */
export function rangeOf(period: PeriodId, today: string): { from: string; to: string } | null {
  const days = { realtime: 1, day: 1, '7d': 7, '30d': 30, '90d': 90 };
  if (period === 'month') return { from: `${today.slice(0, 7)}-01`, to: today };
  if (period === 'year') return { from: `${today.slice(0, 4)}-01-01`, to: today };
  const first = new Date(today);
  if (period === '12mo') first.setUTCMonth(first.getUTCMonth() - 11, 1);
  else if (period === 'all' || period === 'custom') return null;
  else first.setUTCDate(first.getUTCDate() - days[period] + 1);
  return { from: first.toISOString().slice(0, 10), to: today };
}

/** The date in a time zone, as `2026-01-31`; in UTC if the browser does not know the zone, which the server may. */
export function todayIn(timeZone: string, now = new Date()): string {
  const written = (zone: string) => new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(now);
  try {
    return written(timeZone);
  } catch {
    return written('UTC');
  }
}

/** The longest range that the server answers. */
export const RANGE_DAYS_MAX = 3653;

/** Why the two dates of a custom range cannot be asked for; null if they can. */
export function rangeProblem(from: string, to: string): string | null {
  if (!isDate(from) || !isDate(to)) return 'Choose both dates.';
  if (to < from) return 'The range ends before it starts.';
  const days = (Date.parse(to) - Date.parse(from)) / 86_400_000 + 1;
  return days > RANGE_DAYS_MAX ? 'A range can have at most ten years.' : null;
}

/** `YYYY-MM-DD`, and a day that exists. */
export function isDate(text: string | null): text is string {
  if (!text || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
