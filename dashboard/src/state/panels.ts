// The six panels and their tabs: a family of dimensions each, of which one is shown at a time.
import type { Dimension } from '../api';

export interface Tab {
  title: string;
  dimension: Dimension;
  /** Tabs of a second row, for a family within the family; the first of them is `dimension`. */
  more?: readonly Tab[];
}

export interface PanelTabs {
  id: 'pages' | 'sources' | 'locations' | 'devices' | 'browsers' | 'systems';
  title: string;
  /** The first one is shown until another is chosen. */
  tabs: readonly [Tab, ...Tab[]];
}

export const PANELS: readonly PanelTabs[] = [
  {
    id: 'pages',
    title: 'Pages',
    tabs: [
      { title: 'Pages', dimension: 'pages' },
      { title: 'Entry', dimension: 'entry_pages' },
      { title: 'Exit', dimension: 'exit_pages' },
      { title: 'Hosts', dimension: 'hostnames' },
    ],
  },
  {
    id: 'sources',
    title: 'Sources',
    tabs: [
      { title: 'Sources', dimension: 'sources' },
      { title: 'Referrers', dimension: 'referrers' },
      { title: 'Channels', dimension: 'channels' },
      {
        title: 'Campaigns',
        dimension: 'utm_campaigns',
        more: [
          { title: 'Campaign', dimension: 'utm_campaigns' },
          { title: 'Source', dimension: 'utm_sources' },
          { title: 'Medium', dimension: 'utm_mediums' },
          { title: 'Content', dimension: 'utm_contents' },
          { title: 'Term', dimension: 'utm_terms' },
        ],
      },
    ],
  },
  {
    id: 'locations',
    title: 'Locations',
    tabs: [
      { title: 'Countries', dimension: 'countries' },
      { title: 'Regions', dimension: 'regions' },
      { title: 'Cities', dimension: 'cities' },
    ],
  },
  {
    id: 'devices',
    title: 'Devices',
    tabs: [
      { title: 'Devices', dimension: 'devices' },
      { title: 'Screens', dimension: 'screen_sizes' },
    ],
  },
  {
    id: 'browsers',
    title: 'Browsers',
    tabs: [
      { title: 'Browsers', dimension: 'browsers' },
      { title: 'Versions', dimension: 'browser_versions' },
    ],
  },
  {
    id: 'systems',
    title: 'Systems',
    tabs: [
      { title: 'Systems', dimension: 'os' },
      { title: 'Versions', dimension: 'os_versions' },
    ],
  },
];

const within = ({ dimension, more }: Tab): readonly Dimension[] =>
  more ? more.map((one) => one.dimension) : [dimension];

export const dimensionsOf = ({ tabs }: PanelTabs) => tabs.flatMap(within);

export const DIMENSIONS: readonly Dimension[] = PANELS.flatMap(dimensionsOf);

export const isDimension = (text: string | null): text is Dimension =>
  DIMENSIONS.some((dimension) => dimension === text);

/** The tab that leads to a dimension. */
export const tabOf = ({ tabs }: PanelTabs, dimension: Dimension): Tab =>
  tabs.find((tab) => within(tab).includes(dimension)) ?? tabs[0];

/** What a panel shows, given the tabs that were chosen anywhere. */
export const shownIn = (panel: PanelTabs, chosen: readonly Dimension[]): Dimension =>
  dimensionsOf(panel).find((dimension) => chosen.includes(dimension)) ?? panel.tabs[0].dimension;

/** The chosen tabs after one more choice, in the order of the panels; first tabs need no choice. */
export function choose(chosen: readonly Dimension[], dimension: Dimension): readonly Dimension[] {
  return PANELS.map((panel) => {
    const next = dimensionsOf(panel).includes(dimension) ? [dimension] : chosen;
    return { shown: shownIn(panel, next), first: panel.tabs[0].dimension };
  })
    .filter(({ shown, first }) => shown !== first)
    .map(({ shown }) => shown);
}
