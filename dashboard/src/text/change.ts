// What has become of a number since the range it is compared with.
import { percent } from './numbers';

export interface Change {
  text: string;
  direction: 'up' | 'down' | 'none';
}

const SAID_MAX = 9.99;

/** Where there was nothing, no percentage says how much more there is now. */
export function changeOf(now: number, before: number): Change {
  if (before === 0) return now === 0 ? { text: '0%', direction: 'none' } : { text: 'new', direction: 'up' };
  const part = Math.abs(now / before - 1);
  if (part < 0.0005) return { text: '0%', direction: 'none' };
  const text = part > SAID_MAX ? `>${percent(SAID_MAX)}` : percent(part);
  return { text, direction: now > before ? 'up' : 'down' };
}
