// The list of a site's goals, and what each is about; how they were met is a report.
import { goalList } from '../api';
import { useQuery } from '../state/query';
import { Confirmed } from './confirmed';
import { Failure } from './failure';
import { GoalForm } from './goal-form';
import { Problem } from './problem';
import { useAction } from './submit';

interface Props {
  site: string;
  onChanged: () => void;
}

export function SettingsGoals({ site, onChanged }: Props) {
  const { data, error, retry } = useQuery(`${site} goal list`, '', (signal) => goalList.of(site, signal));
  const { error: refused, run } = useAction();
  const changed = () => {
    retry();
    onChanged();
  };
  const remove = async (id: number) => {
    await run(async () => {
      await goalList.remove(site, id);
    });
    changed();
  };
  if (error) return <Failure error={error} retry={retry} />;
  return (
    <div class="settings">
      {data?.length === 0 && <p class="muted">No goals yet.</p>}
      {data && data.length > 0 && (
        <ul class="entries" aria-label="Goals">
          {data.map(({ id, name, page, event }) => (
            <li key={id} class="entry">
              <span class="entry-name">
                {name}
                <span class="entry-more">{page === undefined ? `Event ${event}` : `Page ${page}`}</span>
              </span>
              <Confirmed what="Remove" object={`goal ${name}`} onConfirmed={() => void remove(id)} />
            </li>
          ))}
        </ul>
      )}
      <Problem error={refused} />
      <GoalForm site={site} onMade={changed} />
    </div>
  );
}
