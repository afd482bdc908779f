// The top figures, each with what has become of it. The two that have a course over time choose what the chart draws.
import type { Compared, Figures as Data } from '../api';
import type { Metric } from '../state/url';
import { rangeName } from '../text/buckets';
import { changeOf } from '../text/change';
import { NONE, decimal, duration, exact, percent, short } from '../text/numbers';

interface Props {
  data: Compared<Data> | null;
  /** What is shown is a day that is not over, beside whole ones. */
  partial: boolean;
  stale: boolean;
  metric: Metric;
  onMetric: (metric: Metric) => void;
}

interface Kind {
  name: string;
  /** null: nobody can know. */
  of: (data: Data) => number | null;
  write: (value: number) => string;
  title?: (value: number | null) => string | null;
  /** Of no visits there is none. */
  mean?: boolean;
  lessIsBetter?: boolean;
  metric?: Metric;
}

const counted = { write: short, title: (value: number | null) => (value === null ? null : exact(value)) };

const KINDS: readonly Kind[] = [
  { name: 'Unique visitors', of: (data) => data.unique_visitors, ...counted, metric: 'visitors' },
  { name: 'Pageviews', of: (data) => data.total_pageviews, ...counted, metric: 'pageviews' },
  { name: 'Visits', of: (data) => data.visits, ...counted },
  { name: 'Views per visit', of: (data) => data.views_per_visit, write: decimal, mean: true },
  { name: 'Bounce rate', of: (data) => data.bounce_rate, write: percent, mean: true, lessIsBetter: true },
  {
    name: 'Visit duration',
    of: (data) => data.avg_visit_duration_secs,
    write: duration,
    title: (value) => (value === null ? 'Not known: times are rounded to the hour' : null),
    mean: true,
  },
];

/** The value of a figure; null where there is none. */
const valueOf = (kind: Kind, data: Data) => (kind.mean && data.visits === 0 ? null : kind.of(data));

export function Figures({ data, partial, stale, metric, onMetric }: Props) {
  return (
    <div
      class={stale ? 'figures stale' : 'figures'}
      role="group"
      aria-label="Figures"
      aria-busy={!data || stale}
    >
      {KINDS.map((kind) => (
        <Figure
          key={kind.name}
          kind={kind}
          data={data}
          partial={partial}
          metric={metric}
          onMetric={onMetric}
        />
      ))}
    </div>
  );
}

interface FigureProps extends Omit<Props, 'stale'> {
  kind: Kind;
}

function Figure({ kind, data, partial, metric, onMetric }: FigureProps) {
  const value = data && valueOf(kind, data.current);
  const title = data && data.current.visits > 0 && kind.title?.(value);
  const content = (
    <>
      <span class="figure-name">{kind.name}</span>
      <span class="figure-line">
        <span class="figure-value" title={title || undefined}>
          {!data && <span class="skeleton skeleton-figure" />}
          {data && (value === null ? NONE : kind.write(value))}
        </span>
        {data && <Changed kind={kind} data={data} partial={partial} />}
      </span>
    </>
  );
  const own = kind.metric;
  if (!own) return <div class="figure">{content}</div>;
  return (
    <button class="figure" type="button" aria-pressed={metric === own} onClick={() => onMetric(own)}>
      {content}
    </button>
  );
}

const ARROWS = { up: '↑ ', down: '↓ ', none: '' };
const WORDS = { up: 'more', down: 'less', none: 'change' };

interface ChangedProps {
  kind: Kind;
  data: Compared<Data>;
  partial: boolean;
}

function Changed({ kind, data, partial }: ChangedProps) {
  const { current, comparison, range } = data;
  const now = valueOf(kind, current);
  const before = comparison && valueOf(kind, comparison);
  if (!range || now === null || before === null) return null;
  const { text, direction } = changeOf(now, before);
  const good = direction === (kind.lessIsBetter ? 'down' : 'up');
  // Fewer than on a whole day is what a part of a day has; a mean, or more, says something already.
  const early = partial && !kind.mean && direction === 'down';
  const days = rangeName(range.start_date, range.end_date);
  const old = `${kind.write(before)} in ${days}${partial ? ', the whole day; today is not over yet' : ''}`;
  const judged = direction === 'none' || early ? '' : good ? ' good' : ' bad';
  return (
    <span class={`change${judged}`} title={old}>
      <span aria-hidden="true">
        {text !== 'new' && ARROWS[direction]}
        {text}
      </span>
      <span class="visually-hidden">
        {text === 'new' ? 'new' : `${text} ${WORDS[direction]}`}: {old}
      </span>
    </span>
  );
}
