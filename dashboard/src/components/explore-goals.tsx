// The goals of the site: how they were met, and the form that makes and removes them.
import { useState } from 'preact/hooks';
import { ApiError, goalList, goals, type Goal, type Question } from '../api';
import { useQuery } from '../state/query';
import { exact, money, percent } from '../text/numbers';
import type { Asked } from './explore';
import { Explored } from './explored';
import { Confirmed } from './confirmed';
import { DataTable } from './data-table';
import { Problem } from './problem';
import { useAction, useSubmit } from './submit';

export function ExploreGoals({ question, questionKey }: Asked) {
  const query = useQuery(`${question.site} goals`, questionKey, (signal) => goals(question, signal));
  const { error, run } = useAction();
  const remove = async (goal: Goal) => {
    await run(async () => {
      await goalList.remove(question.site, goal.id);
    });
    query.retry(); // Also after a refusal: somebody else may have removed it.
  };
  const removeButton = (goal: Goal) => (
    <Confirmed what="Remove" object={`goal ${goal.name}`} onConfirmed={() => void remove(goal)} />
  );
  return (
    <>
      <Explored
        query={query}
        isEmpty={(lines) => lines.length === 0}
        empty="No goals yet. A goal is a page or an event that you want visitors to reach."
      >
        {(lines) => (
          <DataTable
            cards
            name={{ title: 'Goal', of: (goal) => goal.name }}
            columns={[
              { title: 'Visitors', of: (goal) => exact(goal.unique_conversions) },
              { title: 'Conversions', of: (goal) => exact(goal.conversions) },
              { title: 'Rate', of: (goal) => percent(goal.conversion_rate) },
              { title: 'Revenue', of: (goal) => goal.revenue.map(money).join(' + ') },
              { title: '', of: removeButton },
            ]}
            lines={lines}
            keyOf={(goal) => goal.id}
          />
        )}
      </Explored>
      <Problem error={error} />
      <NewGoal question={question} onMade={query.retry} />
    </>
  );
}

const PAGE = 'A page begins with a slash, like /pricing or /blog/*.';

function NewGoal({ question, onMade }: { question: Question; onMade: () => void }) {
  const [kind, setKind] = useState<'page' | 'event'>('page');
  const [about, setAbout] = useState('');
  const { busy, error, submit } = useSubmit(async () => {
    if (kind === 'page' && !about.trim().startsWith('/')) throw new ApiError('refused', 0, PAGE);
    await goalList.add(question.site, kind, about.trim(), '');
    setAbout('');
    onMade();
  });
  return (
    <form class="steps new-goal" onSubmit={submit}>
      <div class="step">
        <select
          aria-label="Goal: what"
          value={kind}
          onChange={(event) => setKind(event.currentTarget.value as 'page' | 'event')}
        >
          <option value="page">Page</option>
          <option value="event">Event</option>
        </select>
        <input
          class="find"
          aria-label="Goal"
          placeholder={kind === 'page' ? '/blog/*' : 'Purchase'}
          value={about}
          maxLength={256}
          onInput={(event) => setAbout(event.currentTarget.value)}
        />
        <button class="primary" type="submit" disabled={busy || about.trim() === ''}>
          Add goal
        </button>
      </div>
      <Problem error={error} />
    </form>
  );
}
