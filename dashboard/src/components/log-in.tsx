// The log-in.
import { useState } from 'preact/hooks';
import { auth } from '../api';
import { Field } from './field';
import { Gate } from './gate';
import { sentence, useSubmit } from './submit';

export function LogIn({ onDone }: { onDone: () => void }) {
  const [password, setPassword] = useState('');
  const { busy, error, submit } = useSubmit(async () => {
    await auth.logIn(password);
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
