// Which site is shown, and the way to a new one.
import { useState } from 'preact/hooks';
import type { Site } from '../api';
import { short } from '../text/numbers';
import { Chevron, Plus } from './icons';
import { Menu, MenuItem } from './menu';

interface Props {
  sites: readonly Site[];
  current: string | null;
  open: boolean;
  setOpen: (open: boolean) => void;
  onPick: (site: string) => void;
  onAdd: () => void;
}

/** From this many sites on, there is a field to find one. */
const FIND_FROM = 8;

export function SiteSwitcher({ sites, current, open, setOpen, onPick, onAdd }: Props) {
  const [wanted, setWanted] = useState('');
  const text = wanted.trim().toLowerCase();
  const shown = sites
    .filter((site) => site.site_id.toLowerCase().includes(text))
    .toSorted((a, b) => a.site_id.localeCompare(b.site_id, undefined, { numeric: true }));
  const close = (then: () => void) => () => {
    setOpen(false);
    setWanted('');
    then();
  };
  const label = (
    <>
      <span class="site-name">{current ?? 'Add a site'}</span>
      <Chevron />
    </>
  );

  return (
    <Menu open={open} setOpen={setOpen} name="Site" label={label}>
      {sites.length >= FIND_FROM && (
        <input
          class="menu-find"
          type="search"
          placeholder="Find a site"
          aria-label="Find a site"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
      )}
      <div class="menu-scroll">
        {shown.map(({ site_id, events_total }) => (
          <MenuItem
            key={site_id}
            current={site_id === current}
            onPick={close(() => onPick(site_id))}
            hint={<span class="menu-hint">{short(events_total)} events</span>}
          >
            {site_id}
          </MenuItem>
        ))}
        {shown.length === 0 && sites.length > 0 && <p class="menu-empty">No site has this in its name.</p>}
      </div>
      {sites.length > 0 && <hr />}
      <MenuItem onPick={close(onAdd)}>
        <Plus /> Add a site
      </MenuItem>
    </Menu>
  );
}
