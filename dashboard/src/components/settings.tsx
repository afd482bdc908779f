// What is decided for a site, and the keys of programs.
import { useId, useState } from 'preact/hooks';
import type { Site } from '../api';
import { Dialog } from './dialog';
import { SettingsGoals } from './settings-goals';
import { SettingsKeys } from './settings-keys';
import { SettingsSite } from './settings-site';
import { Tabs } from './tabs';

interface Props {
  /** The site that is shown; null while there is none. */
  site: Site | null;
  /** Something has changed that reports depend on. */
  onChanged: () => void;
  onClose: () => void;
}

const TABS = [
  { id: 'site', title: 'Site' },
  { id: 'goals', title: 'Goals' },
  { id: 'keys', title: 'API keys' },
] as const;

type Tab = (typeof TABS)[number]['id'];

export function Settings({ site, onChanged, onClose }: Props) {
  const id = useId();
  const [chosen, setChosen] = useState<Tab>('site');
  const tab = site ? chosen : 'keys';
  const tabs = site ? TABS : TABS.filter((one) => one.id === 'keys');
  return (
    <Dialog title={site ? `Settings of ${site.site_id}` : 'Settings'} onClose={onClose}>
      <Tabs name="Settings" tabs={tabs} current={tab} onPick={setChosen} controls={id} />
      <div
        id={id}
        class="dialog-scroll"
        role="tabpanel"
        aria-label={TABS.find((one) => one.id === tab)?.title}
      >
        {site && tab === 'site' && <SettingsSite site={site} onChanged={onChanged} />}
        {site && tab === 'goals' && <SettingsGoals site={site.site_id} onChanged={onChanged} />}
        {tab === 'keys' && <SettingsKeys site={site?.site_id ?? null} />}
      </div>
    </Dialog>
  );
}
