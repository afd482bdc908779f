// How the values of a breakdown are written for people.
import type { Dimension, Question } from '../api';

const regions = new Intl.DisplayNames(undefined, { type: 'region' });

export const NAMES: Record<Dimension, { one: string; many: string }> = {
  pages: { one: 'Page', many: 'Pages' },
  entry_pages: { one: 'Entry page', many: 'Entry pages' },
  exit_pages: { one: 'Exit page', many: 'Exit pages' },
  hostnames: { one: 'Host', many: 'Hosts' },
  sources: { one: 'Source', many: 'Sources' },
  referrers: { one: 'Referrer', many: 'Referrers' },
  channels: { one: 'Channel', many: 'Channels' },
  utm_campaigns: { one: 'Campaign', many: 'Campaigns' },
  utm_sources: { one: 'Campaign source', many: 'Campaign sources' },
  utm_mediums: { one: 'Campaign medium', many: 'Campaign mediums' },
  utm_contents: { one: 'Campaign content', many: 'Campaign contents' },
  utm_terms: { one: 'Campaign term', many: 'Campaign terms' },
  countries: { one: 'Country', many: 'Countries' },
  regions: { one: 'Region', many: 'Regions' },
  cities: { one: 'City', many: 'Cities' },
  devices: { one: 'Device', many: 'Devices' },
  screen_sizes: { one: 'Screen width', many: 'Screen widths' },
  browsers: { one: 'Browser', many: 'Browsers' },
  browser_versions: { one: 'Browser version', many: 'Browser versions' },
  os: { one: 'System', many: 'Operating systems' },
  os_versions: { one: 'System version', many: 'System versions' },
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
  return PATHS.includes(dimension) ? pathName(value) : value;
}

const PATHS: readonly Dimension[] = ['pages', 'entry_pages', 'exit_pages', 'referrers'];

/** `/caf%C3%A9` as people write it; what is no encoding stays as it is. */
export function pathName(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** Why there is nothing to see. */
export const noVisits = ({ filters }: Question) =>
  filters.length > 0 ? 'No visits fit these filters.' : 'No visits in this period.';

/** What to do about a breakdown without a single known value; null where nothing can be done. */
export function emptyHint(dimension: Dimension): string | null {
  if (isOptional(dimension))
    return `No campaign visits in this period. Links that end in ?${dimension.slice(0, -1)}=… are counted here.`;
  if (dimension === 'countries' || dimension === 'regions' || dimension === 'cities')
    return `No ${NAMES[dimension].many.toLowerCase()} are known. The server finds them with a MaxMind City file: MALLARD_GEOIP_DB.`;
  return null;
}

function countryName(code: string): string {
  try {
    return regions.of(code) ?? code;
  } catch {
    return code; // Not a region code at all.
  }
}
