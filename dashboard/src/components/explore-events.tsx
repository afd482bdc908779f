// Custom events with their revenue.
import { events } from '../api';
import { useQuery } from '../state/query';
import { exact, money } from '../text/numbers';
import type { Asked } from './explore';
import { Explored } from './explored';
import { DataTable } from './data-table';

const ROWS = 100;

export function ExploreEvents({ question, questionKey }: Asked) {
  const query = useQuery(`${question.site} events`, questionKey, (signal) => events(question, ROWS, signal));
  return (
    <Explored
      query={query}
      isEmpty={(rows) => rows.length === 0}
      empty="No custom events in this period. Your pages send them with mallard('Signup')."
    >
      {(rows) => (
        <DataTable
          cards
          name={{ title: 'Event', of: (row) => row.value }}
          columns={[
            { title: 'Visitors', of: (row) => exact(row.visitors) },
            { title: 'Events', of: (row) => exact(row.events) },
            { title: 'Revenue', of: (row) => row.revenue.map(money).join(' + ') },
          ]}
          lines={rows}
          keyOf={(row) => row.value}
        />
      )}
    </Explored>
  );
}
