// How the values of a breakdown are written for people.
import type { Dimension } from '../api';

const regions = new Intl.DisplayNames(undefined, { type: 'region' });

export const TITLES: Record<Dimension, string> = {
  pages: 'Pages',
  entry_pages: 'Entry pages',
  exit_pages: 'Exit pages',
  hostnames: 'Hosts',
  sources: 'Sources',
  referrers: 'Referrers',
  channels: 'Channels',
  utm_campaigns: 'Campaigns',
  utm_sources: 'Campaign sources',
  utm_mediums: 'Campaign mediums',
  utm_contents: 'Campaign contents',
  utm_terms: 'Campaign terms',
  countries: 'Countries',
  regions: 'Regions',
  cities: 'Cities',
  devices: 'Devices',
  screen_sizes: 'Screen widths',
  browsers: 'Browsers',
  browser_versions: 'Browser versions',
  os: 'Operating systems',
  os_versions: 'System versions',
};

const DEVICES: Record<string, string> = { desktop: 'Desktop', tablet: 'Tablet', mobile: 'Mobile' };

/** The server's words for "no value". */
export const isBlank = (value: string) => value === '(unknown)' || value === '(direct)';

/** What most visits do not have, and need not have: a blank says nothing then, and would dwarf the others. */
export const isOptional = (dimension: Dimension) => dimension.startsWith('utm_');

export function nameOf(dimension: Dimension, value: string): string {
  if (value === '(unknown)') return isOptional(dimension) || dimension === 'referrers' ? 'None' : 'Unknown';
  if (value === '(direct)') return 'Direct or none';
  if (dimension === 'countries') return countryName(value);
  if (dimension === 'devices') return DEVICES[value] ?? value;
  if (dimension === 'screen_sizes') return `${value} px`;
  return value;
}

/** What to do about a breakdown without a single known value; null where nothing can be done. */
export function emptyHint(dimension: Dimension): string | null {
  if (isOptional(dimension))
    return `No campaign visits in this period. Links that end in ?${dimension.slice(0, -1)}=… are counted here.`;
  if (dimension === 'countries' || dimension === 'regions' || dimension === 'cities')
    return `No ${TITLES[dimension].toLowerCase()} are known. The server finds them with a MaxMind City file: MALLARD_GEOIP_DB.`;
  return null;
}

function countryName(code: string): string {
  try {
    return regions.of(code) ?? code;
  } catch {
    return code; // Not a region code at all.
  }
}
