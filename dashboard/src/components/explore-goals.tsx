// The goals of the site: how they were met, and the form that makes and removes them.
import { goalList, goals, type Filter, type Goal } from '../api';
import { isFiltered, picked } from '../state/filters';
import { useQuery } from '../state/query';
import { exact, money, percent } from '../text/numbers';
import type { Asked } from './explore';
import { Explored } from './explored';
import { Confirmed } from './confirmed';
import { DataTable } from './data-table';
import { GoalForm } from './goal-form';
import { Problem } from './problem';
import { useAction } from './submit';
import { Value } from './value';

interface Props extends Asked {
  onFilter: (filter: Filter) => void;
}

export function ExploreGoals({ question, questionKey, onFilter }: Props) {
  const query = useQuery(`${question.site} goals`, questionKey, (signal) => goals(question, signal));
  const { error, run } = useAction();
  const remove = async (goal: Goal) => {
    await run(async () => {
      await goalList.remove(question.site, goal.id);
    });
    query.retry(); // Also after a refusal: somebody else may have removed it.
  };
  const filterButton = (goal: Goal) => {
    const filter = picked('goal', goal.name);
    return (
      <Value
        filter={filter}
        figures={`${exact(goal.unique_conversions)} visitors, ${exact(goal.conversions)} conversions`}
        filtered={isFiltered(question.filters, filter)}
        onPick={onFilter}
      />
    );
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
            name={{ title: 'Goal', of: filterButton }}
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
      <GoalForm site={question.site} onMade={query.retry} />
    </>
  );
}
