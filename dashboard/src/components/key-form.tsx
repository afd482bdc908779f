// A new key: its name, what it may do, for which sites, and until when.
import { useState } from 'preact/hooks';
import { keys, type Scope } from '../api';
import { isSiteId } from '../text/domain';
import { Field } from './field';
import { Problem } from './problem';
import { Select } from './select';
import { useSubmit } from './submit';

interface Props {
  /** The site that is shown, which the key is probably for. */
  site: string | null;
  onMade: (key: { name: string; key: string }) => void;
}

const SCOPES: readonly [Scope, string][] = [
  ['ReadOnly', 'Read reports (ReadOnly)'],
  ['Ingest', 'Send events (Ingest)'],
  ['Admin', 'Everything (Admin)'],
];

/** Days from now; the empty one is no end. */
const ENDS: readonly [string, string][] = [
  ['', 'Never'],
  ['30', 'In 30 days'],
  ['90', 'In 90 days'],
  ['365', 'In a year'],
  ['date', 'On a day of my own'],
];

const DAY_MS = 86_400_000;
const NAME_MAX = 128;
const SITES_MAX = 50;

/** The instant at which the key ends; none for a key that does not. */
function expiryOf(end: string, date: string): string | undefined {
  if (end === '') return undefined;
  const at = end === 'date' ? Date.parse(`${date}T23:59:59Z`) : Date.now() + Number(end) * DAY_MS;
  return new Date(at).toISOString();
}

export function KeyForm({ site, onMade }: Props) {
  const [name, setName] = useState('');
  const [scope, setScope] = useState<Scope>('ReadOnly');
  const [all, setAll] = useState(false);
  const [typed, setTyped] = useState(site ?? '');
  const [end, setEnd] = useState('');
  const [date, setDate] = useState('');
  const [touched, setTouched] = useState(false);

  const sites = typed.split(/[\s,]+/).filter((one) => one !== '');
  const problems = {
    name: name.trim() === '' ? 'Which program is it for?' : null,
    sites: all ? null : problemOf(sites),
    date: end === 'date' && date === '' ? 'Which day?' : null,
  };
  const { busy, error, submit } = useSubmit(async () => {
    setTouched(true);
    if (Object.values(problems).some((problem) => problem !== null)) return;
    const expires_at = expiryOf(end, date);
    const made = await keys.add({
      name: name.trim(),
      scope,
      ...(!all && { sites }),
      ...(expires_at && { expires_at }),
    });
    setName('');
    setTouched(false);
    onMade(made);
  });

  return (
    <form class="settings" onSubmit={submit} noValidate aria-label="New key">
      <h3>New key</h3>
      <Field
        label="Name"
        autocomplete="off"
        placeholder="Nightly import"
        maxLength={NAME_MAX}
        value={name}
        onValue={setName}
        problem={touched ? problems.name : null}
      />
      <div class="fields">
        <Select label="May" value={scope} onValue={(next) => setScope(next as Scope)}>
          {SCOPES.map(([one, words]) => (
            <option key={one} value={one}>
              {words}
            </option>
          ))}
        </Select>
        <Select label="For" value={all ? 'all' : 'some'} onValue={(next) => setAll(next === 'all')}>
          <option value="some">Only these sites</option>
          <option value="all">All sites</option>
        </Select>
        <Select label="Ends" value={end} onValue={setEnd}>
          {ENDS.map(([one, words]) => (
            <option key={one} value={one}>
              {words}
            </option>
          ))}
        </Select>
      </div>
      {!all && (
        <Field
          label="Sites"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={typed}
          onValue={setTyped}
          hint="Several are separated by spaces."
          problem={touched ? problems.sites : null}
        />
      )}
      {end === 'date' && (
        <Field
          label="Last day (UTC)"
          type="date"
          value={date}
          onValue={setDate}
          problem={touched ? problems.date : null}
        />
      )}
      <Problem error={error} />
      <div class="form-end">
        <button class="primary" type="submit" disabled={busy}>
          Make key
        </button>
      </div>
    </form>
  );
}

function problemOf(sites: readonly string[]): string | null {
  if (sites.length === 0) return 'Which sites?';
  if (sites.length > SITES_MAX) return `A key is for at most ${SITES_MAX} sites, or for all.`;
  const odd = sites.find((one) => !isSiteId(one));
  return odd === undefined ? null : `No site can be called ${odd}.`;
}
