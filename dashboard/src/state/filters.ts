// What the page is narrowed down to: all filters must hold.
import type { Filter, FilterDimension, Operator } from '../api';
import { isDimension } from './panels';

const PLAIN: readonly Operator[] = ['is', 'is_not', 'contains', 'contains_not', 'matches', 'matches_not'];
const OF_VISIT: readonly Operator[] = ['has_done', 'has_not_done'];

/** What the server can do with a dimension; the first one is what is mostly meant. */
export function operatorsOf(dimension: FilterDimension): readonly Operator[] {
  if (dimension === 'segment') return ['is', 'is_not'];
  // "Is" an event would leave out all pageviews; who asks for an event mostly wants the visits in which it happened.
  if (dimension === 'goal') return [...OF_VISIT, 'is', 'is_not', 'contains', 'contains_not'];
  if (dimension === 'event') return [...OF_VISIT, ...PLAIN];
  const ofEvents = dimension === 'pages' || dimension === 'hostnames' || dimension.startsWith('props:');
  return ofEvents ? [...PLAIN, ...OF_VISIT] : PLAIN;
}

/** What a click on a value means. */
export const picked = (dimension: FilterDimension, value: string): Filter => ({
  operator: operatorsOf(dimension)[0] ?? 'is',
  dimension,
  values: [value],
});

// In the address a filter is `pages:/pricing`, `is_not:pages:/a|/b` or `has_done:event:Signup`. What these signs would cut
// apart is marked by a backslash: `|` in values, `:` in the keys of properties.
const escaped = (text: string) => text.replace(/[\\:]/g, '\\$&');

/** A value stands at the end, where a colon cuts nothing. */
const escapedValue = (text: string) => text.replace(/[\\|]/g, '\\$&');

/** Where a sign stands without a mark. */
const placesOf = (text: string, sign: string): number[] =>
  [...text.matchAll(/\\.|./gs)].filter(([part]) => part === sign).map(({ index }) => index);

const unmarked = (text: string) => text.replace(/\\(.)/gs, '$1');

function cut(text: string, sign: string): string[] {
  const ends = [...placesOf(text, sign), text.length];
  return ends.map((end, i) => unmarked(text.slice((ends[i - 1] ?? -1) + 1, end)));
}

/** As it stands in the address. */
export function formatFilter({ operator, dimension, values }: Filter): string {
  const name = dimension.startsWith('props:') ? `props:${escaped(dimension.slice(6))}` : dimension;
  const list = values.map(escapedValue).join('|');
  return operator === 'is' ? `${name}:${list}` : `${operator}:${name}:${list}`;
}

function parseFilter(text: string): Filter | null {
  const operator = [...PLAIN, ...OF_VISIT].find((one) => text.startsWith(`${one}:`));
  let rest = operator ? text.slice(operator.length + 1) : text;
  let dimension: string = rest.slice(0, Math.max(rest.indexOf(':'), 0));
  rest = rest.slice(dimension.length + 1);
  if (dimension === 'props') {
    const end = placesOf(rest, ':')[0] ?? 0;
    dimension = `props:${unmarked(rest.slice(0, end))}`;
    rest = rest.slice(end + 1);
  }
  const values = cut(rest, '|');
  if (!isFilterDimension(dimension) || !operatorsOf(dimension).includes(operator ?? 'is')) return null;
  if (dimension === 'segment' && !values.every((id) => /^\d+$/.test(id))) return null;
  return { operator: operator ?? 'is', dimension, values };
}

const isFilterDimension = (text: string): text is FilterDimension =>
  isDimension(text) || ['event', 'goal', 'segment'].includes(text) || /^props:./.test(text);

/** Leaves out what is no filter. */
export const parseFilters = (texts: readonly string[]): readonly Filter[] =>
  texts.reduce<readonly Filter[]>((filters, text) => {
    const filter = parseFilter(text);
    return filter ? narrow(filters, filter) : filters;
  }, []);

const isSame = (one: Filter, other: Filter) => formatFilter(one) === formatFilter(other);

export const isFiltered = (filters: readonly Filter[], filter: Filter) =>
  filters.some((one) => isSame(one, filter));

/** What the filter takes the place of: the same one, and what else an event would have to be, since a page is not two. */
const isInstead = (one: Filter, filter: Filter) =>
  isSame(one, filter) ||
  (one.operator === 'is' &&
    filter.operator === 'is' &&
    one.dimension === filter.dimension &&
    filter.dimension !== 'segment');

/** The filters with one more. */
export function narrow(filters: readonly Filter[], filter: Filter): readonly Filter[] {
  const at = filters.findIndex((one) => isInstead(one, filter));
  return at < 0 ? [...filters, filter] : filters.map((one, i) => (i === at ? filter : one));
}

export const without = (filters: readonly Filter[], filter: Filter) =>
  filters.filter((one) => !isSame(one, filter));

/** After a click on a value: filtered by it, or no longer if it was. */
export const toggle = (filters: readonly Filter[], filter: Filter) =>
  isFiltered(filters, filter) ? without(filters, filter) : narrow(filters, filter);
