// The filters that hold for the whole page, each with its way out.
import { useRef } from 'preact/hooks';
import type { Filter } from '../api';
import { without } from '../state/filters';
import { nameOf, NAMES } from '../text/values';
import { Close } from './icons';

interface Props {
  filters: readonly Filter[];
  onChange: (filters: readonly Filter[]) => void;
}

const sentence = ({ dimension, value }: Filter) => `${NAMES[dimension].one} is ${nameOf(dimension, value)}`;

export function Filters({ filters, onChange }: Props) {
  const status = useRef<HTMLParagraphElement>(null);
  // The button that had the focus goes away; the next key should not begin at the top of the page.
  const change = (next: readonly Filter[]) => {
    status.current?.focus();
    onChange(next);
  };
  return (
    <>
      <p class="visually-hidden" role="status" tabIndex={-1} ref={status}>
        {filters.length > 0 && `Only visits of which this is true: ${filters.map(sentence).join(', ')}`}
      </p>
      {filters.length > 0 && (
        <ul class="filters" aria-label="Filters">
          {filters.map((filter) => (
            <li key={filter.dimension} class="filter">
              <span class="filter-text" title={nameOf(filter.dimension, filter.value)}>
                {NAMES[filter.dimension].one} is <strong>{nameOf(filter.dimension, filter.value)}</strong>
              </span>
              <button
                type="button"
                aria-label={`Remove the filter: ${sentence(filter)}`}
                onClick={() => change(without(filters, filter))}
              >
                <Close />
              </button>
            </li>
          ))}
          {filters.length > 1 && (
            <li>
              <button class="link" type="button" onClick={() => change([])}>
                Clear all
              </button>
            </li>
          )}
        </ul>
      )}
    </>
  );
}
