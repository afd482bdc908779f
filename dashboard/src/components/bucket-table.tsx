// The chart's numbers as a table, newest first.
import type { Bucket } from '../api';
import { bucketName, intervalOf } from '../text/buckets';
import { exact } from '../text/numbers';

export function BucketTable({ buckets }: { buckets: readonly Bucket[] }) {
  const interval = intervalOf(buckets);
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Figures over time">
      <table>
        <thead>
          <tr>
            <th scope="col">{interval === 'minute' || interval === 'hour' ? 'Time' : 'Date'}</th>
            <th scope="col" class="number">
              Visitors
            </th>
            <th scope="col" class="number">
              Pageviews
            </th>
          </tr>
        </thead>
        <tbody>
          {buckets.toReversed().map((bucket) => (
            <tr key={bucket.start}>
              <th scope="row">{bucketName(bucket, interval)}</th>
              <td class="number">{exact(bucket.visitors)}</td>
              <td class="number">{exact(bucket.pageviews)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
