// The time zone of a site, and whether it recognises its users.
import { useState } from 'preact/hooks';
import { changeSite, type Site } from '../api';
import { Problem } from './problem';
import { Select } from './select';
import { useSubmit } from './submit';

interface Props {
  site: Site;
  onChanged: () => void;
}

/** Those of the browser, with the one that holds, which it may not know. */
const zonesWith = (current: string) =>
  [...new Set(['UTC', ...Intl.supportedValuesOf('timeZone'), current])].toSorted();

export function SettingsSite({ site, onChanged }: Props) {
  const [zone, setZone] = useState(site.timezone ?? 'UTC');
  const [identify, setIdentify] = useState(site.identify_users);
  const [saved, setSaved] = useState(false);
  const { busy, error, submit } = useSubmit(async () => {
    setSaved(false);
    // Only what was changed here: the rest may have been changed elsewhere since.
    await changeSite(site.site_id, {
      ...(zone !== site.timezone && { timezone: zone }),
      ...(identify !== site.identify_users && { identify_users: identify }),
    });
    setSaved(true);
    onChanged();
  });
  return (
    <form class="settings" onSubmit={submit}>
      <div>
        <Select label="Time zone" value={zone} onValue={setZone}>
          {zonesWith(zone).map((one) => (
            <option key={one} value={one}>
              {one.replaceAll('_', ' ')}
            </option>
          ))}
        </Select>
        <p class="note">Days of reports begin at midnight there, those of the past as well.</p>
      </div>
      <div>
        <label class="check">
          <input
            type="checkbox"
            checked={identify}
            onChange={(event) => setIdentify(event.currentTarget.checked)}
          />
          Recognise users who are logged in at the site
        </label>
        <p class="note">
          A program that sends events with a key may name their user. A hash of that name is kept from then
          on, so that retention can see who comes back. It is about a person: ask whether you may.
        </p>
      </div>
      <Problem error={error} />
      <div class="form-end">
        <button class="primary" type="submit" disabled={busy}>
          Save
        </button>
        <span class="muted" role="status">
          {saved && 'Saved'}
        </span>
      </div>
    </form>
  );
}
