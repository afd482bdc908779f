// The few choices kept on this device. Where storage is forbidden nothing is kept, and nothing else changes.

type Key = 'theme' | 'site';

const name = (key: Key) => `mallard.${key}`;

export function recall(key: Key): string | null {
  try {
    return localStorage.getItem(name(key));
  } catch {
    return null;
  }
}

export function remember(key: Key, value: string): void {
  try {
    localStorage.setItem(name(key), value);
  } catch {
    // Forbidden or full: the choice holds until the page is closed.
  }
}

export function forget(key: Key): void {
  try {
    localStorage.removeItem(name(key));
  } catch {
    // Nothing was kept.
  }
}
