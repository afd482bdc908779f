// One breakdown: its most frequent values with bars, and the way to the full list.
import { breakdown, type Dimension, type Question, type Row } from '../api';
import { useQuery } from '../state/query';
import { exact, percent, short } from '../text/numbers';
import { isBlank, nameOf, TITLES } from '../text/values';
import { Failure } from './failure';

interface Props {
  dimension: Dimension;
  question: Question;
  questionKey: string;
  /** Unique visitors of the whole range, for the shares; null while unknown. */
  visitors: number | null;
  onDetails: () => void;
}

const ROWS = 8;

export function Panel({ dimension, question, questionKey, visitors, onDetails }: Props) {
  const { data, error, stale, retry } = useQuery(question.site, `${dimension} ${questionKey}`, (signal) =>
    // One more than is shown tells whether there are more.
    breakdown(question, dimension, ROWS + 1, signal),
  );
  const rows = data?.value;
  const title = TITLES[dimension];

  return (
    <section class={`card panel panel-${dimension}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {rows && rows.length > 0 && <span class="muted">Visitors</span>}
      </header>
      {error && <Failure error={error} retry={retry} />}
      {!error && !rows && <Skeleton />}
      {rows && rows.length === 0 && <p class="panel-empty">No visits in this period.</p>}
      {rows && rows.length > 0 && (
        <Bars rows={rows.slice(0, ROWS)} dimension={dimension} visitors={visitors} stale={stale} />
      )}
      {rows && rows.length > ROWS && (
        <button class="more" type="button" onClick={onDetails}>
          Show all<span class="visually-hidden"> {title.toLowerCase()}</span>
        </button>
      )}
    </section>
  );
}

interface BarsProps {
  rows: readonly Row[];
  dimension: Dimension;
  visitors: number | null;
  stale: boolean;
}

function Bars({ rows, dimension, visitors, stale }: BarsProps) {
  const highest = Math.max(...rows.map((row) => row.visitors), 1);
  return (
    <ol class={stale ? 'bars stale' : 'bars'}>
      {rows.map((row) => (
        <li key={row.value} class="bar-row" style={{ '--part': row.visitors / highest }}>
          <Value dimension={dimension} value={row.value} />
          <span class="bar-share">{visitors ? percent(Math.min(row.visitors / visitors, 1)) : ''}</span>
          <span
            class="bar-count"
            title={`${exact(row.visitors)} visitors, ${exact(row.pageviews)} pageviews`}
          >
            {short(row.visitors)}
          </span>
        </li>
      ))}
    </ol>
  );
}

export function Value({ dimension, value }: { dimension: Dimension; value: string }) {
  const name = nameOf(dimension, value);
  const coded = dimension === 'countries' && !isBlank(value);
  return (
    <span class={isBlank(value) ? 'value blank' : 'value'} title={name}>
      {coded && (
        <span class="code" aria-hidden="true">
          {value}
        </span>
      )}
      <span class="value-text">{name}</span>
    </span>
  );
}

function Skeleton() {
  return (
    <div class="bars" aria-busy="true">
      {[0.9, 0.7, 0.55, 0.4, 0.3].map((part) => (
        <div key={part} class="skeleton skeleton-row" style={{ '--part': part }} />
      ))}
    </div>
  );
}
