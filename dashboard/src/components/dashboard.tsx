// The page behind the log-in: chooses the site, and shows its figures or, while it has none, how to install the tracker.
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { compareWith, isComparable } from '../state/comparison';
import { useInterval } from '../state/interval';
import { recall, remember } from '../state/memory';
import { PERIODS, todayIn } from '../state/period';
import { useQuery } from '../state/query';
import { useShortcuts, type Shortcuts } from '../state/shortcuts';
import { useTheme } from '../state/theme';
import { useNavigation, type Navigation } from '../state/url';
import { AddSite } from './add-site';
import { Current } from './current';
import { Failure } from './failure';
import { FirstEvent } from './first-event';
import { Header } from './header';
import { ShortcutHelp } from './help';
import { Notice } from './notice';
import { PeriodPicker, type OpenPart } from './period-picker';
import { Report } from './report';
import { ServerNotice } from './server-notice';
import { Settings } from './settings';
import { SiteSwitcher } from './site-switcher';

interface Props {
  /** The server does not answer at the moment. */
  disconnected: boolean;
  /** Asks everything on the page again. */
  refresh: () => void;
  /** After a log-out. */
  leave: () => void;
}

const REALTIME_MS = 10_000;
const REFRESH_MS = 60_000;
const FIRST_EVENT_MS = 2000;

export function Dashboard({ disconnected, refresh, leave }: Props) {
  const navigation = useNavigation();
  const { view, go } = navigation;
  const [scheme, toggleScheme] = useTheme();
  const [choosingSite, setChoosingSite] = useState(false);
  const [choosingPeriod, setChoosingPeriod] = useState<OpenPart>(null);
  const [help, setHelp] = useState(false);
  const [settings, setSettings] = useState(false);
  const [stillIn, setStillIn] = useState(false);
  const sites = useQuery('', 'sites', api.sites);

  const known = (sites.data ?? []).filter((site) => site.events_total > 0);
  const name = view.adding ? null : (view.site ?? preferred(known));
  const site = known.find((one) => one.site_id === name) ?? null;

  useEffect(() => {
    document.title = name ? `${name} · Mallard Metrics` : 'Mallard Metrics';
    if (site) remember('site', site.site_id);
    // The address names the site from now on, so that it can be linked.
    if (site && !view.site) go({ site: site.site_id }, 'replace');
  }, [name, site?.site_id, view.site]);

  useInterval(refreshEveryMs(view.period, site !== null), () => api.isAsking() || refresh());
  useInterval(sites.data && !site ? FIRST_EVENT_MS : null, sites.retry);

  useShortcuts({
    ...(site && reportShortcuts(navigation, () => setChoosingPeriod('dates'))),
    s: () => setChoosingSite(true),
    u: refresh,
    b: toggleScheme,
    '?': () => setHelp(true),
  });

  const logOut = async () => {
    try {
      await api.auth.logOut();
      leave();
    } catch (error) {
      if (error instanceof api.ApiError && error.status === 401) leave();
      else setStillIn(true);
    }
  };

  return (
    <>
      <Header
        site={
          <>
            <SiteSwitcher
              sites={known}
              current={name}
              open={choosingSite}
              setOpen={setChoosingSite}
              onPick={(next) => go({ site: next, adding: false, details: null, filters: [] })}
              onAdd={() => go({ adding: true, details: null })}
            />
            {site && (
              <Current site={site.site_id} onOpen={() => go({ period: 'realtime', from: null, to: null })} />
            )}
          </>
        }
        period={
          site && (
            <PeriodPicker
              view={view}
              today={todayIn(site.timezone ?? 'UTC')}
              open={choosingPeriod}
              setOpen={setChoosingPeriod}
              onPick={go}
            />
          )
        }
        scheme={scheme}
        onToggleScheme={toggleScheme}
        onRefresh={refresh}
        onHelp={() => setHelp(true)}
        onSettings={() => setSettings(true)}
        onLeave={() => void logOut()}
        notice={
          <>
            {disconnected ? <Notice>The server does not answer. Trying again…</Notice> : <ServerNotice />}
            {stillIn && (
              <Notice>You are still logged in: the log-out did not reach the server. Try again.</Notice>
            )}
          </>
        }
      />
      <main class="page">
        {sites.error && <Failure error={sites.error} retry={sites.retry} />}
        {site && <Report site={site} scheme={scheme} {...navigation} />}
        {sites.data && !site && name && <FirstEvent site={name} onOther={() => go({ adding: true })} />}
        {sites.data && !name && (
          <AddSite first={known.length === 0} onSite={(next) => go({ site: next, adding: false })} />
        )}
      </main>
      {settings && <Settings site={site} onChanged={refresh} onClose={() => setSettings(false)} />}
      {help && <ShortcutHelp onClose={() => setHelp(false)} />}
    </>
  );
}

/** The site to show when the address names none: the last one seen here, else the busiest. */
function preferred(known: readonly api.Site[]): string | null {
  const last = recall('site');
  const busiest = known.toSorted((a, b) => b.events_total - a.events_total)[0];
  return known.find((site) => site.site_id === last)?.site_id ?? busiest?.site_id ?? null;
}

/** How often the figures are asked again; ranges of one's own have mostly passed, and wait for a person. */
function refreshEveryMs(period: string, shown: boolean): number | null {
  if (!shown || period === 'custom') return null;
  return period === 'realtime' ? REALTIME_MS : REFRESH_MS;
}

function reportShortcuts({ view, go }: Navigation, custom: () => void): Shortcuts {
  const periods = PERIODS.map(({ id, key }) => [
    key,
    id === 'custom' ? custom : () => go({ period: id, from: null, to: null }),
  ]);
  return {
    ...Object.fromEntries(periods),
    v: () => go({ metric: 'visitors' }, 'replace'),
    p: () => go({ metric: 'pageviews' }, 'replace'),
    ...(isComparable(view.period) && {
      x: () => go({ compare: view.compare ? null : compareWith('previous_period', null) }),
    }),
  };
}
