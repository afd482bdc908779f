// One line of a list of bars: a name, its share or what else is to be said of it, and its number.
import type { ComponentChildren } from 'preact';

interface Props {
  /** How long the bar is, from 0 to 1. */
  part: number;
  /** Text, or the button that it is. */
  name: ComponentChildren;
  /** What text may be cut from is said in full to the pointer. */
  title?: string;
  share?: ComponentChildren;
  count: string;
}

export function BarRow({ part, name, title, share, count }: Props) {
  return (
    <li class="bar-row" style={{ '--part': part }}>
      {typeof name === 'string' ? (
        <span class="value">
          <span class="value-text" title={title ?? name}>
            {name}
          </span>
        </span>
      ) : (
        name
      )}
      <span class="bar-share">{share}</span>
      <span class="bar-count">{count}</span>
    </li>
  );
}
