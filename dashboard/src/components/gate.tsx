// The frame of every screen that stands before the figures: the mark, a title, one card.
import type { ComponentChildren } from 'preact';
import { Mark } from './icons';

interface Props {
  title: string;
  intro?: ComponentChildren;
  children?: ComponentChildren;
}

export function Gate({ title, intro, children }: Props) {
  return (
    <main class="gate">
      <div class="gate-card">
        <Mark />
        <h1>{title}</h1>
        {intro && <p class="muted">{intro}</p>}
        {children}
      </div>
    </main>
  );
}
