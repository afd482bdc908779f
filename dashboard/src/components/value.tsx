// A value of a report, written for people: a button that narrows the whole page down to it.
import type { Filter } from '../api';
import { valueName } from '../text/filters';
import { isBlank } from '../text/values';

interface Props {
  /** What a click narrows the page down to. */
  filter: Filter;
  /** Its figures in words. */
  figures: string;
  /** The page is narrowed down to it; the next click takes that back. */
  filtered: boolean;
  onPick: (filter: Filter) => void;
}

export function Value({ filter, figures, filtered, onPick }: Props) {
  const { dimension, values } = filter;
  const value = values[0] ?? '';
  const name = valueName(dimension, value);
  const coded = dimension === 'countries' && !isBlank(value);
  return (
    <button
      class={isBlank(value) ? 'value blank' : 'value'}
      type="button"
      aria-pressed={filtered}
      title={`${name}: ${figures}. ${filtered ? 'Show everything again' : 'Show only these'}`}
      onClick={() => onPick(filter)}
    >
      {coded && (
        <span class="code" aria-hidden="true">
          {value}
        </span>
      )}
      <span class="value-text">{name}</span>
    </button>
  );
}
