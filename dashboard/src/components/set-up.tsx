// First run: choosing the password of this install.
import { useState } from 'preact/hooks';
import { auth } from '../api';
import { Field } from './field';
import { Gate } from './gate';
import { sentence, useSubmit } from './submit';

const BYTES_MIN = 8;

/** The server's words for what only a token can answer (CONTRACT §4.3). */
const TOKEN_REQUIRED = 'Setup token required';
const TOKEN_INVALID = 'Invalid setup token';

export function SetUp({ onDone }: { onDone: () => void }) {
  const [password, setPassword] = useState('');
  const [repeated, setRepeated] = useState('');
  const [token, setToken] = useState('');
  const [touched, setTouched] = useState(false);

  const problem = problemOf(password, repeated);
  const { busy, error, submit } = useSubmit(async () => {
    setTouched(true);
    if (problem.password || problem.repeated) return;
    await auth.setUp(password, token.trim());
    onDone();
  });
  // The server asks for its token unless the request comes from its own machine, so the first try goes without. It refuses
  // for other reasons too, such as a proxy that changes the host; a token would be no answer to those.
  const [tokenWanted, setTokenWanted] = useState(false);
  const refused = error?.status === 403 ? error.message : null;
  const isAsked = refused === TOKEN_REQUIRED;
  if ((isAsked || refused === TOKEN_INVALID) && !tokenWanted) setTokenWanted(true);

  return (
    <Gate title="Welcome to Mallard Metrics" intro="Choose the password that protects this dashboard.">
      <form onSubmit={submit} noValidate>
        <input type="text" name="username" autocomplete="username" value="admin" hidden readOnly />
        <Field
          label="Password"
          type="password"
          name="password"
          autocomplete="new-password"
          first
          required
          value={password}
          onValue={setPassword}
          problem={touched ? problem.password : null}
          hint="At least 8 characters."
        />
        <Field
          label="Password again"
          type="password"
          name="repeated"
          autocomplete="new-password"
          required
          value={repeated}
          onValue={setRepeated}
          problem={touched ? problem.repeated : null}
        />
        {tokenWanted && (
          <Field
            label="Set-up token"
            type="text"
            name="token"
            autocomplete="off"
            spellcheck={false}
            first
            required
            value={token}
            onValue={setToken}
            hint="The server writes it to its log when it starts. It proves that this server is yours."
          />
        )}
        {error && !isAsked && (
          <p class="problem" role="alert">
            {sentence(error)}
          </p>
        )}
        <button class="primary" type="submit" disabled={busy}>
          {busy ? 'Saving…' : 'Set password'}
        </button>
      </form>
    </Gate>
  );
}

function problemOf(password: string, repeated: string) {
  const bytes = new TextEncoder().encode(password).length;
  return {
    password: bytes < BYTES_MIN ? 'At least 8 characters.' : null,
    repeated: repeated === password ? null : 'The two passwords differ.',
  };
}
