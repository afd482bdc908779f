// The paths that visits took from a page or event, or to it, and where they ended.
import { useState } from 'preact/hooks';
import { journeys, type Journeys } from '../api';
import { useQuery } from '../state/query';
import { exact, percent } from '../text/numbers';
import { pathName } from '../text/values';
import { BarRow } from './bar-row';
import type { Asked } from './explore';
import { Explored } from './explored';

type Direction = 'after' | 'before';

export function ExploreJourneys({ question, questionKey, page }: Asked & { page: string }) {
  const [direction, setDirection] = useState<Direction>('after');
  const from = `page:${page}`;
  const query = useQuery(`${question.site} journeys ${from} ${direction}`, questionKey, (signal) =>
    journeys(question, from, direction, signal),
  );
  return (
    <>
      <label class="direction">
        Paths{' '}
        <select value={direction} onChange={(event) => setDirection(event.currentTarget.value as Direction)}>
          <option value="after">from {page}</option>
          <option value="before">to {page}</option>
        </select>
      </label>
      <Explored
        query={query}
        isEmpty={(all) => all.visits === 0}
        empty={`No visit saw ${page} in this period.`}
      >
        {(all) => <Paths all={all} />}
      </Explored>
    </>
  );
}

function Paths({ all }: { all: Journeys }) {
  return (
    <>
      <p class="explain">
        {exact(all.visits)} visits
        {all.steps.map((step) => `; ${exact(step.reached)} saw ${step.step} more`)}
      </p>
      <ol class="bars">
        {all.paths.map(({ pages, visits }) => (
          <Path
            key={pages.join('\n')}
            name={pages.map(pathName).join(' → ') || 'No other page'}
            visits={visits}
            of={all.visits}
          />
        ))}
        {all.other > 0 && <Path name="Other paths" visits={all.other} of={all.visits} />}
      </ol>
    </>
  );
}

function Path({ name, visits, of }: { name: string; visits: number; of: number }) {
  return <BarRow part={visits / of} name={name} share={percent(visits / of)} count={exact(visits)} />;
}
