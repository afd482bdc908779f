// The chart's numbers as a table, newest first.
import type { Bucket } from '../api';
import { bucketName, intervalOf } from '../text/buckets';
import { exact } from '../text/numbers';
import { DataTable } from './data-table';

export function BucketTable({ buckets }: { buckets: readonly Bucket[] }) {
  const interval = intervalOf(buckets);
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Figures over time">
      <DataTable
        name={{
          title: interval === 'minute' || interval === 'hour' ? 'Time' : 'Date',
          of: (bucket) => bucketName(bucket, interval),
        }}
        columns={[
          { title: 'Visitors', of: (bucket) => exact(bucket.visitors) },
          { title: 'Pageviews', of: (bucket) => exact(bucket.pageviews) },
        ]}
        lines={buckets.toReversed()}
        keyOf={(bucket) => bucket.start}
      />
    </div>
  );
}
