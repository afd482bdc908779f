// From buckets to what is drawn: what has happened as a solid line, the bucket still running as a dashed one, and
// nothing for buckets that lie ahead (a day has all its hours in the answer from its first minute on).
import type { Bucket } from '../api';
import type { Metric } from '../state/url';
import { LENGTH_MS, localTime, type Interval } from '../text/buckets';

export interface Series {
  /** Positions: buckets stand side by side, whatever their length. */
  x: number[];
  /** Values of buckets that are over. */
  solid: (number | null)[];
  /** The last of them and the running one; all null when none is running. */
  dashed: (number | null)[];
  /** Values of the buckets they are compared with, also where these have not begun; all null without a comparison. */
  before: (number | null)[];
  /** Buckets that have begun. */
  begun: number;
}

export function seriesOf(
  buckets: readonly Bucket[],
  before: readonly Bucket[] | null,
  metric: Metric,
  interval: Interval,
  nowMs: number,
): Series {
  const begun = begunOf(buckets, nowMs);
  const running = runningOf(buckets, interval, nowMs);
  const value = (bucket: Bucket, i: number, drawn: boolean) => (drawn && i < begun ? bucket[metric] : null);
  return {
    x: buckets.map((_, i) => i),
    solid: buckets.map((bucket, i) => value(bucket, i, i !== running)),
    dashed: buckets.map((bucket, i) =>
      value(bucket, i, running >= 0 && (i === running || i === running - 1)),
    ),
    before: buckets.map((_, i) => before?.[i]?.[metric] ?? null),
    begun,
  };
}

/** How many of the buckets have begun. */
export const begunOf = (buckets: readonly Bucket[], nowMs: number) =>
  buckets.filter((bucket) => Date.parse(bucket.start) <= nowMs).length;

/** The place of the bucket that has begun and not ended; -1 if there is none. */
export function runningOf(buckets: readonly Bucket[], interval: Interval, nowMs: number): number {
  const at = begunOf(buckets, nowMs) - 1;
  const newest = buckets[at];
  return newest && nowMs < endMs(newest, buckets[at + 1], interval) ? at : -1;
}

function endMs(bucket: Bucket, next: Bucket | undefined, interval: Interval): number {
  return next ? Date.parse(next.start) : Date.parse(bucket.start) + LENGTH_MS[interval];
}

/** Steps between ticks that people can follow; beyond them, and for months, see `MONTH_STEPS`. */
const STEPS: Record<Interval, readonly number[]> = {
  minute: [1, 2, 5, 10, 15, 30],
  hour: [1, 2, 3, 6, 12],
  day: [1, 2, 4, 7, 14],
  week: [1, 2, 4],
  month: [],
};

/** Counted from January, so that the name of a year is among them. */
const MONTH_STEPS = [1, 2, 3, 6, 12, 24];

/** Where the ticks stand, at most `count` of them. */
export function ticksOf(buckets: readonly Bucket[], interval: Interval, count: number): number[] {
  const all = buckets.map((_, i) => i);
  const step = STEPS[interval].find((one) => Math.ceil(buckets.length / one) <= count);
  // Days are counted from the newest one backwards, so that today has a name; hours from midnight.
  const anchor = interval === 'day' || interval === 'week' ? (buckets.length - 1) % (step ?? 1) : 0;
  if (step) return all.filter((i) => i % step === anchor);

  const monthOf = (i: number) => monthNumber(buckets[i]);
  const firsts = interval === 'month' ? all : all.filter((i) => i > 0 && monthOf(i) !== monthOf(i - 1));
  const onStep = (months: number) => firsts.filter((i) => monthOf(i) % months === 0);
  return MONTH_STEPS.map(onStep).find((ticks) => ticks.length <= count) ?? onStep(60);
}

function monthNumber(bucket: Bucket | undefined): number {
  if (!bucket) return 0;
  const at = localTime(bucket);
  return at.getUTCFullYear() * 12 + at.getUTCMonth();
}
