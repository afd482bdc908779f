// Where visits begin, and where they end.
import { breakdown, type Dimension } from '../api';
import { useQuery } from '../state/query';
import { RowTable } from './details';
import type { Asked } from './explore';
import { Explored } from './explored';

const ROWS = 20;

export function ExplorePages(asked: Asked) {
  return (
    <div class="explore-halves">
      <Half {...asked} dimension="entry_pages" />
      <Half {...asked} dimension="exit_pages" />
    </div>
  );
}

function Half({ question, questionKey, dimension }: Asked & { dimension: Dimension }) {
  const query = useQuery(`${question.site} ${dimension}`, questionKey, (signal) =>
    breakdown(question, dimension, ROWS, signal),
  );
  return (
    <Explored query={query} isEmpty={(rows) => rows.length === 0} empty="No visits in this period.">
      {(rows) => <RowTable rows={rows} dimension={dimension} visitors={null} />}
    </Explored>
  );
}
