// How many visitors were active in the last five minutes.
import { figures } from '../api';
import { useQuery } from '../state/query';
import { short } from '../text/numbers';

export function Current({ site, onOpen }: { site: string; onOpen: () => void }) {
  const question = { site, period: 'realtime', from: null, to: null, filters: [] };
  const { data } = useQuery(site, 'realtime', (signal) => figures(question, signal));
  if (!data) return null;
  const visitors = data.value.unique_visitors;
  return (
    <button class="current" type="button" onClick={onOpen} title="Visitors in the last five minutes">
      <span class={visitors > 0 ? 'dot live' : 'dot'} aria-hidden="true" />
      <strong>{short(visitors)}</strong> <span class="current-text">online</span>
    </button>
  );
}
