// A row of tabs: one is open, the arrow keys go from one to the next.
import { useEffect, useRef } from 'preact/hooks';

interface Props<Id> {
  /** What the tabs are about. */
  name: string;
  tabs: readonly { id: Id; title: string }[];
  current: Id;
  onPick: (id: Id) => void;
  /** The id of the element that shows the open tab. */
  controls: string;
  class?: string;
}

export function Tabs<Id extends string>({ name, tabs, current, onPick, controls, ...rest }: Props<Id>) {
  const row = useRef<HTMLDivElement>(null);

  // Where not all fit, the open one is seen; only the row moves for it, not the page.
  useEffect(() => {
    const tab = row.current?.querySelector<HTMLElement>('[aria-selected="true"]');
    if (row.current && tab)
      row.current.scrollLeft = tab.offsetLeft - (row.current.clientWidth - tab.offsetWidth) / 2;
  }, [current]);

  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (tabs.findIndex(({ id }) => id === current) + step + tabs.length) % tabs.length;
    if (tabs[next]) onPick(tabs[next].id);
    row.current?.querySelectorAll<HTMLElement>('[role="tab"]')[next]?.focus();
    event.preventDefault();
  };

  return (
    <div class={rest.class ?? 'tabs'} role="tablist" aria-label={name} ref={row} onKeyDown={move}>
      {tabs.map(({ id, title }) => (
        <button
          key={id}
          class="tab"
          type="button"
          role="tab"
          aria-selected={id === current}
          aria-controls={controls}
          tabIndex={id === current ? 0 : -1}
          onClick={() => onPick(id)}
        >
          {title}
        </button>
      ))}
    </div>
  );
}
