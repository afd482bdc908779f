// Sending a form once at a time, and what the server said against it.
import { useState } from 'preact/hooks';
import { ApiError } from '../api';

interface Submission {
  busy: boolean;
  error: ApiError | null;
  submit: (event: Event) => void;
}

export function useSubmit(send: () => Promise<void>): Submission {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await send();
    } catch (cause) {
      setError(cause instanceof ApiError ? cause : new ApiError('refused', 0, String(cause)));
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, submit: (event) => void submit(event) };
}

/** The server's sentence, with the time to wait if it named one. */
export function sentence(error: ApiError): string {
  const wait = error.retryAfterS;
  return wait ? `${error.message} (In ${inWords(wait)}.)` : error.message;
}

const inWords = (seconds: number) =>
  seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
