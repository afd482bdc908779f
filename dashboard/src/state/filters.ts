// What the page is narrowed down to: at most one value of each dimension, and all of them must hold.
import type { Filter } from '../api';
import { isDimension } from './panels';

/** As it stands in the address: `pages:/pricing`. */
export const formatFilter = ({ dimension, value }: Filter) => `${dimension}:${value}`;

/** Leaves out what is no filter. */
export const parseFilters = (texts: readonly string[]): readonly Filter[] =>
  texts.reduce<readonly Filter[]>((filters, text) => {
    const [dimension = '', ...value] = text.split(':');
    return isDimension(dimension) ? narrow(filters, { dimension, value: value.join(':') }) : filters;
  }, []);

const isSame = (one: Filter, other: Filter) => one.dimension === other.dimension && one.value === other.value;

export const isFiltered = (filters: readonly Filter[], filter: Filter) =>
  filters.some((one) => isSame(one, filter));

/** The filters with one more; of the same dimension it is the only one, since a page is not two pages. */
function narrow(filters: readonly Filter[], filter: Filter): readonly Filter[] {
  const known = filters.some(({ dimension }) => dimension === filter.dimension);
  return known
    ? filters.map((one) => (one.dimension === filter.dimension ? filter : one))
    : [...filters, filter];
}

export const without = (filters: readonly Filter[], filter: Filter) =>
  filters.filter((one) => !isSame(one, filter));

/** After a click on a value: filtered by it, or no longer if it was. */
export const toggle = (filters: readonly Filter[], filter: Filter) =>
  isFiltered(filters, filter) ? without(filters, filter) : narrow(filters, filter);
