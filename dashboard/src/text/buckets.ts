// The time axis in words. Buckets carry dates that are already local to the site; here they are only formatted, never
// moved to another time zone: the text is read as if it were UTC and written in UTC.
import type { Bucket } from '../api';

export type Interval = 'minute' | 'hour' | 'day' | 'week' | 'month';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The longest that a bucket can last. */
export const LENGTH_MS: Record<Interval, number> = {
  minute: MINUTE,
  hour: HOUR,
  day: 25 * HOUR,
  week: 7 * DAY + HOUR,
  month: 31 * DAY + HOUR,
};

const style = (options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat(undefined, { timeZone: 'UTC', ...options });

const halfDays = style({ hour: 'numeric' }).resolvedOptions().hour12;
const time = style({ hour: halfDays ? 'numeric' : '2-digit', minute: '2-digit' });
/** `6 PM`; but `18:00`, since nobody reads a bare `18` as a time. */
const hour = halfDays ? style({ hour: 'numeric' }) : time;
const day = style({ day: 'numeric', month: 'short' });
const weekday = style({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const month = style({ month: 'short' });
const monthOfYear = style({ month: 'long', year: 'numeric' });
const year = style({ year: 'numeric' });

export const localTime = (bucket: Bucket) =>
  new Date(`${bucket.date.replace(' ', 'T').padEnd(16, 'T00:00')}Z`);

/** The width of the buckets, told from their dates. A range may cut the first one short, so the widest gap counts. */
export function intervalOf(buckets: readonly Bucket[]): Interval {
  const times = buckets.slice(0, 4).map((bucket) => localTime(bucket).getTime());
  const gap = Math.max(0, ...times.slice(1).map((at, i) => at - (times[i] ?? at)));
  if (gap === 0) return buckets[0]?.date.includes(' ') ? 'hour' : 'day';
  if (gap <= MINUTE) return 'minute';
  if (gap <= 2 * HOUR) return 'hour'; // Two where a clock change skips one.
  if (gap < 7 * DAY) return 'day';
  return gap < 28 * DAY ? 'week' : 'month';
}

/** The whole name of a bucket, for the tooltip and the table. */
export function bucketName(bucket: Bucket, interval: Interval): string {
  const at = localTime(bucket);
  if (interval === 'minute') return time.format(at);
  if (interval === 'hour') return `${day.format(at)}, ${time.format(at)}`;
  if (interval === 'week') return `Week of ${weekday.format(at)}`;
  return interval === 'month' ? monthOfYear.format(at) : weekday.format(at);
}

/** `Mon, 23 Nov 2026`, from `2026-11-23`. */
export const dayName = (date: string) => weekday.format(new Date(date));

/** The short name below the axis. */
export function tickName(bucket: Bucket, interval: Interval): string {
  const at = localTime(bucket);
  if (interval === 'minute') return time.format(at);
  if (interval === 'hour') return hour.format(at);
  if (interval === 'month') return at.getUTCMonth() === 0 ? year.format(at) : month.format(at);
  return day.format(at);
}

const range = style({ day: 'numeric', month: 'short', year: 'numeric' });
const monthRange = style({ month: 'short', year: 'numeric' });

/** `1 – 30 Oct 2026`, from two dates of the form `2026-10-01`. */
export const rangeName = (from: string, to: string) => range.formatRange(new Date(from), new Date(to));

/** The days or months that the buckets span. */
export function spanName(buckets: readonly Bucket[]): string {
  const first = buckets[0];
  const last = buckets.at(-1);
  if (!first || !last) return '';
  const words = intervalOf(buckets) === 'month' ? monthRange : range;
  return words.formatRange(localTime(first), localTime(last));
}
