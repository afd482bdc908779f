// The full list of one breakdown, up to the server's limit.
import { useState } from 'preact/hooks';
import { breakdown, type Dimension, type Row } from '../api';
import { isFiltered, picked } from '../state/filters';
import { useQuery } from '../state/query';
import { exact, percent } from '../text/numbers';
import { nameOf, NAMES } from '../text/values';
import { Dialog } from './dialog';
import { Failure } from './failure';
import { DataTable } from './data-table';
import type { Asked } from './panel';
import { Value } from './value';

interface Props extends Asked {
  dimension: Dimension;
  onClose: () => void;
}

/** The most rows that the server gives. */
const LIMITS = [100, 1000] as const;

export function Details({ dimension, onClose, ...asked }: Props) {
  const { question, questionKey } = asked;
  const [limit, setLimit] = useState<number>(LIMITS[0]);
  const [wanted, setWanted] = useState('');
  const { data, error, retry } = useQuery(
    `${question.site} ${dimension}`,
    `all ${limit} ${questionKey}`,
    (signal) => breakdown(question, dimension, limit, signal),
  );
  const rows = data?.value;
  const text = wanted.trim().toLowerCase();
  const shown = rows?.filter((row) => nameOf(dimension, row.value).toLowerCase().includes(text));
  const next = LIMITS.find((one) => one > limit);

  return (
    <Dialog title={NAMES[dimension].many} onClose={onClose}>
      <input
        class="find"
        type="search"
        placeholder="Find"
        aria-label={`Find in ${NAMES[dimension].many.toLowerCase()}`}
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
      />
      <div class="table-scroll">
        {error && <Failure error={error} retry={retry} />}
        {!error && !rows && <div class="skeleton skeleton-chart" />}
        {shown && <RowTable rows={shown} dimension={dimension} {...asked} />}
        {shown?.length === 0 && <p class="panel-empty">Nothing found.</p>}
        {rows?.length === limit && next && (
          <button class="more" type="button" onClick={() => setLimit(next)}>
            Show more
          </button>
        )}
      </div>
    </Dialog>
  );
}

interface TableProps extends Asked {
  rows: readonly Row[];
  dimension: Dimension;
}

function RowTable({ rows, dimension, question, visitors, onFilter }: TableProps) {
  const share = (row: Row) => (visitors ? percent(Math.min(row.visitors / visitors, 1)) : '');
  return (
    <DataTable
      name={{
        title: NAMES[dimension].many,
        of: (row) => {
          const filter = picked(dimension, row.value);
          return (
            <Value
              filter={filter}
              figures={`${exact(row.visitors)} visitors, ${exact(row.pageviews)} pageviews`}
              filtered={isFiltered(question.filters, filter)}
              onPick={onFilter}
            />
          );
        },
      }}
      columns={[
        { title: 'Visitors', of: (row) => exact(row.visitors) },
        { title: 'Share', of: share, kind: 'share' },
        { title: 'Pageviews', of: (row) => exact(row.pageviews) },
      ]}
      lines={rows}
      keyOf={(row) => row.value}
    />
  );
}
