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
  /** Buckets that have begun. */
  begun: number;
}

export function seriesOf(
  buckets: readonly Bucket[],
  metric: Metric,
  interval: Interval,
  nowMs: number,
): Series {
  const begun = buckets.filter((bucket) => Date.parse(bucket.start) <= nowMs).length;
  const newest = buckets[begun - 1];
  const running = newest !== undefined && nowMs < endMs(newest, buckets[begun], interval) ? begun - 1 : -1;
  const value = (bucket: Bucket, i: number, drawn: boolean) => (drawn && i < begun ? bucket[metric] : null);
  return {
    x: buckets.map((_, i) => i),
    solid: buckets.map((bucket, i) => value(bucket, i, i !== running)),
    dashed: buckets.map((bucket, i) =>
      value(bucket, i, running >= 0 && (i === running || i === running - 1)),
    ),
    begun,
  };
}

function endMs(bucket: Bucket, next: Bucket | undefined, interval: Interval): number {
  return next ? Date.parse(next.start) : Date.parse(bucket.start) + LENGTH_MS[interval];
}

/** Steps between ticks that people can follow; beyond them, the first days of months. */
const STEPS: Record<Interval, readonly number[]> = {
  minute: [1, 2, 5, 10, 15, 30],
  hour: [1, 2, 3, 6, 12],
  day: [1, 2, 4, 7, 14],
  week: [1, 2, 4, 8, 13],
  month: [1, 2, 3, 6, 12],
};

const MONTH_STEPS = [1, 2, 3, 6, 12, 24];

/** Where the ticks stand, at most `count` of them. */
export function ticksOf(buckets: readonly Bucket[], interval: Interval, count: number): number[] {
  const fits = (step: number) => Math.ceil(buckets.length / step) <= count;
  const step = STEPS[interval].find(fits);
  const all = buckets.map((_, i) => i);
  // Counted from the newest day backwards, so that today has a name; hours and months count from the first.
  const anchor = interval === 'day' || interval === 'week' ? (buckets.length - 1) % (step ?? 1) : 0;
  if (step) return all.filter((i) => i % step === anchor);

  const monthOf = (i: number) => buckets[i]?.date.slice(0, 7);
  const firsts = all.filter((i) => i > 0 && monthOf(i) !== monthOf(i - 1));
  const months = MONTH_STEPS.find((n) => Math.ceil(firsts.length / n) <= count) ?? 60;
  return firsts.filter((i) => monthNumber(buckets[i]) % months === 0);
}

function monthNumber(bucket: Bucket | undefined): number {
  if (!bucket) return 0;
  const at = localTime(bucket);
  return at.getUTCFullYear() * 12 + at.getUTCMonth();
}
