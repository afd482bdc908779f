// A line above the figures that must not be overlooked.
import type { ComponentChildren } from 'preact';
import { Warning } from './icons';

export function Notice({ children }: { children: ComponentChildren }) {
  return (
    <div class="notice" role="status">
      <Warning />
      <p>{children}</p>
    </div>
  );
}
