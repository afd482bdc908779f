// One panel: a breakdown by the dimension of its open tab, and the way to the full list.
import { useId } from 'preact/hooks';
import { breakdown, type Dimension, type Question, type Row } from '../api';
import { tabOf, type PanelTabs, type Tab } from '../state/panels';
import { useQuery } from '../state/query';
import { exact, percent, short } from '../text/numbers';
import { emptyHint, isBlank, isOptional, TITLES } from '../text/values';
import { Failure } from './failure';
import { Tabs } from './tabs';
import { Value } from './value';

/** What all panels share. */
export interface Asked {
  question: Question;
  questionKey: string;
  /** Unique visitors of the whole range, for the shares; null while unknown. */
  visitors: number | null;
}

interface Props extends Asked {
  panel: PanelTabs;
  dimension: Dimension;
  onTab: (dimension: Dimension) => void;
  onDetails: () => void;
}

const ROWS = 8;

const tabList = (tabs: readonly Tab[]) => tabs.map(({ title, dimension }) => ({ id: dimension, title }));

export function Panel({ panel, dimension, onTab, onDetails, ...asked }: Props) {
  const id = useId();
  const tab = tabOf(panel, dimension);
  return (
    <section class={`card panel panel-${panel.id}`} aria-label={panel.title}>
      <h2 class="visually-hidden">{panel.title}</h2>
      <header class="panel-head">
        <Tabs
          class="panel-tabs"
          name={panel.title}
          tabs={tabList(panel.tabs)}
          current={tab.dimension}
          onPick={onTab}
          controls={id}
        />
        <span class="muted" aria-hidden="true">
          Visitors
        </span>
      </header>
      {tab.more && (
        <Tabs
          class="panel-tabs panel-more"
          name={tab.title}
          tabs={tabList(tab.more)}
          current={dimension}
          onPick={onTab}
          controls={id}
        />
      )}
      <div id={id} class="panel-body" role="tabpanel" aria-label={TITLES[dimension]}>
        <Breakdown dimension={dimension} onDetails={onDetails} {...asked} />
      </div>
    </section>
  );
}

interface BreakdownProps extends Asked {
  dimension: Dimension;
  onDetails: () => void;
}

function Breakdown({ dimension, question, questionKey, visitors, onDetails }: BreakdownProps) {
  const { data, error, stale, retry } = useQuery(`${question.site} ${dimension}`, questionKey, (signal) =>
    // One more than is shown tells whether there are more, and one may be left out.
    breakdown(question, dimension, ROWS + 2, signal),
  );
  if (error) return <Failure error={error} retry={retry} />;
  if (!data) return <Skeleton />;

  const rows = data.value.filter(({ value }) => !(isOptional(dimension) && isBlank(value)));
  const hint = rows.every(({ value }) => isBlank(value)) && emptyHint(dimension);
  if (data.value.length === 0) return <p class="panel-empty">No visits in this period.</p>;
  if (hint) return <p class="panel-empty">{hint}</p>;
  return (
    <>
      <Bars rows={rows.slice(0, ROWS)} dimension={dimension} visitors={visitors} stale={stale} />
      {rows.length > ROWS && (
        <button class="more" type="button" onClick={onDetails}>
          Show all<span class="visually-hidden"> {TITLES[dimension].toLowerCase()}</span>
        </button>
      )}
    </>
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

function Skeleton() {
  return (
    <div class="bars" aria-busy="true">
      {Array.from({ length: ROWS }, (_, i) => (
        <div key={i} class="skeleton skeleton-row" style={{ '--part': 0.9 ** (2 * i) }} />
      ))}
    </div>
  );
}
