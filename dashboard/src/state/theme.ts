// Light or dark: the system's choice, unless the person has made one on this device.
//
// Colours are defined once with `light-dark()`; a choice only sets `color-scheme` through an attribute.
import { useEffect, useState } from 'preact/hooks';
import { forget, recall, remember } from './memory';

export type Scheme = 'light' | 'dark';

const system = matchMedia('(prefers-color-scheme: dark)');

function chosen(): Scheme | null {
  const stored = recall('theme');
  return stored === 'light' || stored === 'dark' ? stored : null;
}

const current = (): Scheme => chosen() ?? (system.matches ? 'dark' : 'light');

/** Applies an earlier choice; to be called before the first paint. */
export function applyTheme(): void {
  const choice = chosen();
  if (choice) document.documentElement.dataset['theme'] = choice;
  else delete document.documentElement.dataset['theme'];
}

/** The scheme on screen, and a switch to the other one. Choosing what the system has means following it again. */
export function useTheme(): [Scheme, () => void] {
  const [scheme, setScheme] = useState(current);

  useEffect(() => {
    const follow = () => setScheme(current());
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, []);

  const toggle = () => {
    const next = current() === 'dark' ? 'light' : 'dark';
    if (next === (system.matches ? 'dark' : 'light')) forget('theme');
    else remember('theme', next);
    applyTheme();
    setScheme(next);
  };
  return [scheme, toggle];
}
