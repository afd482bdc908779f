// The keys with which programs prove themselves: all of them, and the one that was just made.
import { useEffect, useRef, useState } from 'preact/hooks';
import { keys, type Key } from '../api';
import { useQuery } from '../state/query';
import { dayName } from '../text/buckets';
import { Confirmed } from './confirmed';
import { Copyable } from './copyable';
import { Failure } from './failure';
import { KeyForm } from './key-form';
import { Problem } from './problem';
import { useAction } from './submit';

export function SettingsKeys({ site }: { site: string | null }) {
  const { data, error, retry } = useQuery('keys', '', keys.all);
  const { error: refused, run } = useAction();
  const [made, setMade] = useState<{ name: string; key: string } | null>(null);
  const revoke = async (key: Key) => {
    await run(async () => {
      await keys.revoke(key.key_hash);
    });
    retry();
  };
  if (error) return <Failure error={error} retry={retry} />;
  const inForce = data?.filter((key) => !endOf(key)) ?? [];
  const ended = data?.filter(endOf) ?? [];
  return (
    <div class="settings">
      {made && <Made key={made.key} name={made.name} text={made.key} />}
      {data?.length === 0 && !made && <p class="muted">No keys yet.</p>}
      {data && data.length > 0 && (
        <ul class="entries" aria-label="API keys">
          {[...inForce, ...ended].map((key) => (
            <li key={key.key_hash} class="entry">
              <Described of={key} />
              {endOf(key) ? (
                <span class="muted">{endOf(key)}</span>
              ) : (
                <Confirmed what="Revoke" object={`key ${key.name}`} onConfirmed={() => void revoke(key)} />
              )}
            </li>
          ))}
        </ul>
      )}
      <Problem error={refused} />
      <KeyForm
        site={site}
        onMade={(key) => {
          setMade(key);
          retry();
        }}
      />
    </div>
  );
}

/** It takes the focus, and so comes into sight: the form that made it is below all the others. */
function Made({ name, text }: { name: string; text: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <div class="made" role="status" tabIndex={-1} ref={box}>
      <p>
        The key <strong>{name}</strong>. It is shown only now: keep it where its program finds it.
      </p>
      <Copyable label={`Key ${name}`} text={text} />
    </div>
  );
}

/** How a key has come to its end; null while it is in force. */
function endOf({ revoked, expires_at }: Key): string | null {
  if (revoked) return 'Revoked';
  return expires_at && Date.parse(expires_at) <= Date.now() ? 'Expired' : null;
}

function Described({ of: key }: { of: Key }) {
  const expires = key.expires_at ? `, until ${dayName(key.expires_at.slice(0, 10))}` : '';
  return (
    <span class={endOf(key) ? 'entry-name muted' : 'entry-name'}>
      {key.name}
      <span class="entry-more">
        {key.scope}, {key.sites ? key.sites.join(', ') : 'all sites'}
        {expires}; made {dayName(key.created_at.slice(0, 10))}
      </span>
    </span>
  );
}
