// What is wrong with a server that still answers: reports can be read, but something must be known about them.
import { health, type Health } from '../api';
import { useInterval } from '../state/interval';
import { useQuery } from '../state/query';
import { Notice } from './notice';

/** Looked at again this soon while something is wrong; otherwise as often as the page is. */
const LOOK_MS = 5000;

const WORDS: Record<Health, string | null> = {
  well: null,
  poisoned:
    'The server cannot store events: a write to its log has failed. Reports show what was stored before. It restarts by itself; its own messages say why.',
  stopping: 'The server is stopping. The page goes on by itself when it is back.',
  refusing:
    'The server refuses new events until its disk takes them again: it is nearly full, or cannot be written. Reports work.',
  'not ready': 'The server is not ready yet. Reports may be missing until it is.',
};

export function ServerNotice() {
  const { data, retry } = useQuery('', 'health', health);
  const words = data && WORDS[data];
  useInterval(words ? LOOK_MS : null, retry);
  return words ? <Notice>{words}</Notice> : null;
}
