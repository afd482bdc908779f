// A filter as the server reads it: a JSON list.
import type { Filter, FilterDimension } from './types';

/** The server's name for what is filtered by. Ours are those of its breakdowns, which are the same. */
function nameOf(dimension: FilterDimension): string {
  if (dimension === 'event') return 'event:name';
  return dimension === 'goal' ? 'event:goal' : dimension;
}

export function wireOf({ operator, dimension, values }: Filter): unknown[] {
  const list = dimension === 'segment' ? values.map(Number) : values;
  if (operator === 'has_done' || operator === 'has_not_done')
    return [operator, ['is', nameOf(dimension), list]];
  return [operator, nameOf(dimension), list];
}
