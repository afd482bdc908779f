// How the values of a breakdown are written for people.
import type { Dimension } from '../api';

const regions = new Intl.DisplayNames(undefined, { type: 'region' });

export const TITLES: Record<Dimension, string> = {
  pages: 'Pages',
  sources: 'Sources',
  browsers: 'Browsers',
  os: 'Operating systems',
  devices: 'Devices',
  countries: 'Countries',
  entry_pages: 'Entry pages',
  exit_pages: 'Exit pages',
};

const DEVICES: Record<string, string> = { desktop: 'Desktop', tablet: 'Tablet', mobile: 'Mobile' };

/** The server's words for "no value". */
export const isBlank = (value: string) => value === '(unknown)' || value === '(direct)';

export function nameOf(dimension: Dimension, value: string): string {
  if (value === '(unknown)') return 'Unknown';
  if (value === '(direct)') return 'Direct or none';
  if (dimension === 'countries') return countryName(value);
  if (dimension === 'devices') return DEVICES[value] ?? value;
  return value;
}

function countryName(code: string): string {
  try {
    return regions.of(code) ?? code;
  } catch {
    return code; // Not a region code at all.
  }
}
