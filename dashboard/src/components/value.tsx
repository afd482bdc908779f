// A value of a breakdown, written for people: a button that narrows the whole page down to it.
import type { Dimension, Row } from '../api';
import { exact } from '../text/numbers';
import { isBlank, nameOf } from '../text/values';

interface Props {
  dimension: Dimension;
  row: Row;
  /** The page is narrowed down to it; the next click takes that back. */
  filtered: boolean;
  onPick: (value: string) => void;
}

export function Value({ dimension, row, filtered, onPick }: Props) {
  const { value, visitors, pageviews } = row;
  const name = nameOf(dimension, value);
  const coded = dimension === 'countries' && !isBlank(value);
  return (
    <button
      class={isBlank(value) ? 'value blank' : 'value'}
      type="button"
      aria-pressed={filtered}
      title={`${name}: ${exact(visitors)} visitors, ${exact(pageviews)} pageviews. ${filtered ? 'Show everything again' : 'Show only these'}`}
      onClick={() => onPick(value)}
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
