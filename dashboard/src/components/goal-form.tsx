// A new goal: a page or an event that visitors should reach.
import { useState } from 'preact/hooks';
import { ApiError, goalList } from '../api';
import { Problem } from './problem';
import { useSubmit } from './submit';

const PAGE = 'A page begins with a slash, like /pricing or /blog/*.';

export function GoalForm({ site, onMade }: { site: string; onMade: () => void }) {
  const [kind, setKind] = useState<'page' | 'event'>('page');
  const [about, setAbout] = useState('');
  const [name, setName] = useState('');
  const { busy, error, submit } = useSubmit(async () => {
    if (kind === 'page' && !about.trim().startsWith('/')) throw new ApiError('refused', 0, PAGE);
    await goalList.add(site, kind, about.trim(), name.trim());
    setAbout('');
    setName('');
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
        <input
          class="find"
          aria-label="Name of the goal"
          placeholder="Name"
          value={name}
          maxLength={256}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button class="primary" type="submit" disabled={busy || about.trim() === ''}>
          Add goal
        </button>
      </div>
      <Problem error={error} />
    </form>
  );
}
