// A value of a breakdown, written for people.
import type { Dimension } from '../api';
import { isBlank, nameOf } from '../text/values';

export function Value({ dimension, value }: { dimension: Dimension; value: string }) {
  const name = nameOf(dimension, value);
  const coded = dimension === 'countries' && !isBlank(value);
  return (
    <span class={isBlank(value) ? 'value blank' : 'value'} title={name}>
      {coded && (
        <span class="code" aria-hidden="true">
          {value}
        </span>
      )}
      <span class="value-text">{name}</span>
    </span>
  );
}
