// Custom events with their revenue.
import { events } from '../api';
import { useQuery } from '../state/query';
import { exact, money } from '../text/numbers';
import type { Asked } from './explore';
import { Explored } from './explored';

const ROWS = 100;

export function ExploreEvents({ question, questionKey }: Asked) {
  const query = useQuery(`${question.site} events`, questionKey, (signal) => events(question, ROWS, signal));
  return (
    <Explored query={query} isEmpty={(rows) => rows.length === 0} empty="No custom events in this period.">
      {(rows) => (
        <table>
          <thead>
            <tr>
              <th scope="col">Event</th>
              <th scope="col" class="number">
                Visitors
              </th>
              <th scope="col" class="number">
                Events
              </th>
              <th scope="col" class="number">
                Revenue
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.value}>
                <th scope="row">{row.value}</th>
                <td class="number">{exact(row.visitors)}</td>
                <td class="number">{exact(row.events)}</td>
                <td class="number">{row.revenue.map(money).join(' + ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Explored>
  );
}
