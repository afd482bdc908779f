// Who came back, week by week. Without identified users nobody can be seen coming back, and this says so.
import { retention, type Cohort } from '../api';
import { useQuery } from '../state/query';
import { dayName } from '../text/buckets';
import { exact, percent } from '../text/numbers';
import type { Asked } from './explore';
import { Explored } from './explored';

const WEEKS = 8;

export function ExploreRetention({ question, questionKey }: Asked) {
  const query = useQuery(`${question.site} retention`, questionKey, (signal) =>
    retention(question, WEEKS, signal),
  );
  return (
    <Explored query={query} isEmpty={(weeks) => weeks.length === 0} empty="No week of this period has begun.">
      {(weeks) => <Grid weeks={weeks} />}
    </Explored>
  );
}

function Grid({ weeks }: { weeks: readonly Cohort[] }) {
  const known = weeks[0]?.identity === 'user';
  const columns = known ? Array.from({ length: WEEKS }, (_, week) => week) : [];
  return (
    <>
      {!known && (
        <p class="explain">
          Visitors’ ids change every day, so nobody can be seen coming back. Weekly visitors are shown;
          retention needs a site that identifies its users.
        </p>
      )}
      <table class="cohorts">
        <thead>
          <tr>
            <th scope="col">Week of</th>
            <th scope="col" class="number">
              {known ? 'New users' : 'Visitors'}
            </th>
            {columns.map((week) => (
              <th key={week} scope="col" class="number">
                {week === 0 ? 'Same week' : `+${week}`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {weeks.map((cohort) => (
            <tr key={cohort.cohort_date}>
              <th scope="row">{dayName(cohort.cohort_date)}</th>
              <td class="number">{exact(cohort.cohort_size)}</td>
              {columns.map((week) => (
                <Share key={week} count={cohort.retained[week] ?? null} of={cohort.cohort_size} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Share({ count, of }: { count: number | null; of: number }) {
  if (count === null || of === 0) return <td class="number" />;
  return (
    <td class="number cohort" style={{ '--part': count / of }} title={`${exact(count)} users`}>
      {percent(count / of)}
    </td>
  );
}
