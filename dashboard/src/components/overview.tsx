// The first card: the top figures and the chart they drive, or the same numbers as a table.
import { useState } from 'preact/hooks';
import {
  timeseries,
  type Answer,
  type Bucket,
  type Compared,
  type Comparison,
  type Figures as FiguresData,
  type Question,
} from '../api';
import { runningOf } from '../chart/series';
import { useQuery, type Query } from '../state/query';
import type { Scheme } from '../state/theme';
import type { Metric } from '../state/url';
import { bucketName, intervalOf, spanName } from '../text/buckets';
import { exact } from '../text/numbers';
import { noVisits } from '../text/values';
import { Chart } from './chart';
import { Failure } from './failure';
import { Figures } from './figures';
import { ChartIcon, TableIcon } from './icons';
import { BucketTable } from './bucket-table';

interface Props {
  question: Question;
  questionKey: string;
  comparison: Comparison | null;
  /** Only today is shown, which is not over. */
  partial: boolean;
  figures: Query<Answer<Compared<FiguresData>>>;
  metric: Metric;
  onMetric: (metric: Metric) => void;
  scheme: Scheme;
}

export function Overview({ question, questionKey, comparison, partial, figures, ...shown }: Props) {
  const { metric, onMetric, scheme } = shown;
  const [asTable, setAsTable] = useState(false);
  const series = useQuery(question.site, `${questionKey} ${JSON.stringify(comparison)}`, (signal) =>
    timeseries(question, comparison, signal),
  );
  const buckets = series.data?.value.current ?? null;
  const before = series.data?.value.comparison ?? null;

  return (
    <section class="card overview" aria-label="Overview">
      {figures.error ? (
        <Failure error={figures.error} retry={figures.retry} />
      ) : (
        <Figures
          data={figures.data?.value ?? null}
          partial={partial}
          stale={figures.stale}
          metric={metric}
          onMetric={onMetric}
        />
      )}
      <div class="chart-bar">
        <p class="spans muted">
          <span>{buckets ? spanName(buckets) : '\u00a0'}</span>
          {buckets && isRunning(buckets) && <span class="span-running">not over yet</span>}
          {before && (
            <span class="span-before">
              <span class="visually-hidden">compared with </span>
              {spanName(before)}
              {partial && ', the whole day'}
            </span>
          )}
        </p>
        <button
          class="tool"
          type="button"
          aria-pressed={asTable}
          aria-label="Show the chart as a table"
          title={asTable ? 'Show as a chart' : 'Show as a table'}
          onClick={() => setAsTable(!asTable)}
        >
          {asTable ? <ChartIcon /> : <TableIcon />}
        </button>
      </div>
      <div class={series.stale ? 'chart-area stale' : 'chart-area'}>
        {series.error && <Failure error={series.error} retry={series.retry} />}
        {!series.error && !buckets && <div class="skeleton skeleton-chart" />}
        {buckets && asTable && <BucketTable buckets={buckets} before={before} />}
        {buckets && !asTable && (
          <Chart
            buckets={buckets}
            before={before}
            metric={metric}
            scheme={scheme}
            label={summary(buckets, metric)}
          />
        )}
        {buckets && !asTable && isEmpty(buckets) && <p class="chart-empty">{noVisits(question)}</p>}
      </div>
    </section>
  );
}

const isRunning = (buckets: readonly Bucket[]) => runningOf(buckets, intervalOf(buckets), Date.now()) >= 0;

const isEmpty = (buckets: readonly Bucket[]) =>
  buckets.every((bucket) => bucket.pageviews + bucket.visitors === 0);

/** The chart in one sentence. */
function summary(buckets: readonly Bucket[], metric: Metric): string {
  const interval = intervalOf(buckets);
  const name = metric === 'visitors' ? 'Visitors' : 'Pageviews';
  const top = buckets.reduce<Bucket | undefined>(
    (best, one) => (best && best[metric] >= one[metric] ? best : one),
    undefined,
  );
  if (!top || isEmpty(buckets)) return `${name} per ${interval}: none in this period.`;
  return `${name} per ${interval}, ${spanName(buckets)}. Highest: ${exact(top[metric])}, ${bucketName(top, interval)}.`;
}
