// The log-in.
import { useState } from 'preact/hooks';
import { ApiError, auth } from '../api';
import { Field } from './field';
import { Gate } from './gate';
import { sentence, useSubmit } from './submit';

const NOT_KEPT =
  location.protocol === 'https:'
    ? 'The password is right, but this browser does not keep the cookie of the session.'
    : 'The password is right, but this server allows log-in over https only.';

export function LogIn({ onDone }: { onDone: () => void }) {
  const [password, setPassword] = useState('');
  const { busy, error, submit } = useSubmit(async () => {
    await auth.logIn(password);
    // The password was right; a browser that drops the cookie comes back as a stranger.
    if (!(await auth.status()).authenticated) throw new ApiError('refused', 0, NOT_KEPT);
    onDone();
  });

  return (
    <Gate title="Log in">
      <form onSubmit={submit}>
        <input type="text" name="username" autocomplete="username" value="admin" hidden readOnly />
        <Field
          label="Password"
          type="password"
          name="password"
          autocomplete="current-password"
          first
          required
          value={password}
          onValue={setPassword}
          problem={error && sentence(error)}
        />
        <button class="primary" type="submit" disabled={busy}>
          {busy ? 'Logging in…' : 'Log in'}
        </button>
      </form>
    </Gate>
  );
}
