// Filters in words.
import type { Filter, FilterDimension, Operator } from '../api';
import { isDimension } from '../state/panels';
import { nameOf, NAMES } from './values';

/** `Page`, `Goal`, `Property plan`. */
export function dimensionName(dimension: FilterDimension): string {
  if (isDimension(dimension)) return NAMES[dimension].one;
  if (dimension.startsWith('props:')) return `Property ${dimension.slice(6)}`;
  return dimension === 'event' ? 'Event' : dimension === 'goal' ? 'Goal' : 'Segment';
}

/** The name of a segment stands for its id. */
export type SegmentName = (id: string) => string;

export function valueName(
  dimension: FilterDimension,
  value: string,
  segmentName: SegmentName = (id) => id,
): string {
  if (isDimension(dimension)) return nameOf(dimension, value);
  return dimension === 'segment' ? segmentName(value) : value;
}

/** Between the name of the dimension and the value. */
export const OPERATORS: Record<Operator, string> = {
  is: 'is',
  is_not: 'is not',
  contains: 'contains',
  contains_not: 'does not contain',
  matches: 'matches',
  matches_not: 'does not match',
  has_done: 'is in the visit',
  has_not_done: 'is not in the visit',
};

/** What comes before the values: `Page is`, `Visit has goal`. */
export function beginningOf({ operator, dimension }: Filter): string {
  const name = dimensionName(dimension);
  const inside = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  if (operator === 'has_done') return `Visit has ${inside}`;
  if (operator === 'has_not_done') return `Visit has no ${inside}`;
  return `${name} ${OPERATORS[operator]}`;
}

export const valuesOf = ({ dimension, values }: Filter, segmentName?: SegmentName) =>
  values.map((value) => valueName(dimension, value, segmentName)).join(' or ');

export const filterName = (filter: Filter, segmentName?: SegmentName) =>
  `${beginningOf(filter)} ${valuesOf(filter, segmentName)}`;
