// Doing something once at a time, such as sending a form, and what the server said against it.
import { useContext, useState } from 'preact/hooks';
import { ApiError } from '../api';
import { SessionContext } from '../state/query';

interface Action {
  busy: boolean;
  error: ApiError | null;
  run: (act: () => Promise<void>) => Promise<void>;
}

/** An action of a click. A session that has ended leads to the log-in, as with questions. */
export function useAction(): Action {
  const { lost } = useContext(SessionContext);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  const run = async (act: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (cause) {
      const error = cause instanceof ApiError ? cause : new ApiError('refused', 0, String(cause));
      setError(error);
      if (error.kind === 'unauthorised') lost(error);
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run };
}

interface Submission extends Omit<Action, 'run'> {
  submit: (event: Event) => void;
}

export function useSubmit(send: () => Promise<void>): Submission {
  const { run, ...state } = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(send);
  };
  return { ...state, submit };
}

/** The server's sentence, with the time to wait if it named one. */
export function sentence(error: ApiError): string {
  const wait = error.retryAfterS;
  return wait ? `${error.message} (In ${inWords(wait)}.)` : error.message;
}

const inWords = (seconds: number) =>
  seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
