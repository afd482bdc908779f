// One panel: a breakdown by the dimension of its open tab, and the way to the full list.
import { useId } from 'preact/hooks';
import { breakdown, type Dimension, type Filter, type Question, type Row } from '../api';
import { isFiltered, picked } from '../state/filters';
import { tabOf, type PanelTabs, type Tab } from '../state/panels';
import { useQuery } from '../state/query';
import { exact, percent, short } from '../text/numbers';
import { emptyHint, isBlank, isOptional, NAMES, noVisits } from '../text/values';
import { BarRow } from './bar-row';
import { Failure } from './failure';
import { Tabs } from './tabs';
import { Value } from './value';

/** What all panels share. */
export interface Asked {
  question: Question;
  questionKey: string;
  /** Unique visitors of the whole range, for the shares; null while unknown. */
  visitors: number | null;
  onFilter: (filter: Filter) => void;
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
      <div id={id} class="panel-body" role="tabpanel" aria-label={NAMES[dimension].many}>
        <Breakdown dimension={dimension} onDetails={onDetails} {...asked} />
      </div>
    </section>
  );
}

interface BreakdownProps extends Asked {
  dimension: Dimension;
  onDetails: () => void;
}

function Breakdown({ dimension, onDetails, ...asked }: BreakdownProps) {
  const { question, questionKey } = asked;
  const { data, error, stale, retry } = useQuery(`${question.site} ${dimension}`, questionKey, (signal) =>
    // One more than is shown tells whether there are more, and one may be left out.
    breakdown(question, dimension, ROWS + 2, signal),
  );
  if (error) return <Failure error={error} retry={retry} />;
  if (!data) return <Skeleton />;

  const rows = data.value.filter(({ value }) => !(isOptional(dimension) && isBlank(value)));
  const hint = rows.every(({ value }) => isBlank(value)) && emptyHint(dimension);
  if (data.value.length === 0) return <p class="panel-empty">{noVisits(question)}</p>;
  if (hint) return <p class="panel-empty">{hint}</p>;
  return (
    <>
      <Bars rows={rows.slice(0, ROWS)} dimension={dimension} stale={stale} {...asked} />
      {rows.length > ROWS && (
        <button class="more" type="button" onClick={onDetails}>
          Show all<span class="visually-hidden"> {NAMES[dimension].many.toLowerCase()}</span>
        </button>
      )}
    </>
  );
}

interface BarsProps extends Asked {
  rows: readonly Row[];
  dimension: Dimension;
  stale: boolean;
}

function Bars({ rows, dimension, stale, question, visitors, onFilter }: BarsProps) {
  const highest = Math.max(...rows.map((row) => row.visitors), 1);
  return (
    <ol class={stale ? 'bars stale' : 'bars'}>
      {rows.map((row) => {
        const filter = picked(dimension, row.value);
        return (
          <BarRow
            key={row.value}
            part={row.visitors / highest}
            name={
              <Value
                filter={filter}
                figures={`${exact(row.visitors)} visitors, ${exact(row.pageviews)} pageviews`}
                filtered={isFiltered(question.filters, filter)}
                onPick={onFilter}
              />
            }
            share={visitors ? percent(Math.min(row.visitors / visitors, 1)) : ''}
            count={short(row.visitors)}
          />
        );
      })}
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
