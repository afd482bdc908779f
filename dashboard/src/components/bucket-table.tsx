// The chart's numbers as a table, newest first.
import type { Bucket } from '../api';
import { begunOf } from '../chart/series';
import { bucketName, intervalOf } from '../text/buckets';
import { exact, NONE } from '../text/numbers';
import type { Metric } from '../state/url';
import { DataTable, type Column } from './data-table';

interface Props {
  buckets: readonly Bucket[];
  /** Those of the days that these are compared with, in the same order. */
  before: readonly Bucket[] | null;
}

interface Line {
  now: Bucket;
  before: Bucket | undefined;
}

const column = (title: string, metric: Metric): Column<Line> => ({
  title,
  of: ({ now }) => exact(now[metric]),
});

const columnBefore = (title: string, metric: Metric): Column<Line> => ({
  title,
  of: ({ before }) => (before ? exact(before[metric]) : NONE),
});

const COLUMNS = [column('Visitors', 'visitors'), column('Pageviews', 'pageviews')];
const BEFORE = [columnBefore('Visitors before', 'visitors'), columnBefore('Pageviews before', 'pageviews')];

export function BucketTable({ buckets, before }: Props) {
  const interval = intervalOf(buckets);
  // A day has all its hours in the answer from its first minute on; the chart leaves out those ahead, too.
  const begun = buckets.slice(0, begunOf(buckets, Date.now()));
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Figures over time">
      <DataTable
        name={{
          title: interval === 'minute' || interval === 'hour' ? 'Time' : 'Date',
          of: ({ now }) => bucketName(now, interval),
        }}
        columns={before ? [...COLUMNS, ...BEFORE] : COLUMNS}
        lines={begun.map((now, i) => ({ now, before: before?.[i] })).toReversed()}
        keyOf={({ now }) => now.start}
      />
    </div>
  );
}
