// Asking the server from a component: one question at a time, the last one wins, an error is never taken for an answer.
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api';

export interface Query<T> {
  /** The newest answer; kept while it is asked again, gone when the question failed. */
  data: T | null;
  error: ApiError | null;
  /** An answer is on its way. */
  loading: boolean;
  /** `data` answers an earlier question. */
  stale: boolean;
  retry: () => void;
}

/** What queries share: a counter that asks all of them again, and who hears that the server is gone or wants a log-in. */
export interface Session {
  round: number;
  lost: (error: ApiError) => void;
}

export const SessionContext = createContext<Session>({ round: 0, lost: () => {} });

interface State<T> {
  scope: string;
  key: string;
  data: T | null;
  error: ApiError | null;
}

/**
 * Asks whenever `key` changes, and again in every round of the session.
 *
 * Within one `scope` (the site) the earlier answer stays on screen until the next one is there; never beyond it.
 */
export function useQuery<T>(scope: string, key: string, ask: (signal: AbortSignal) => Promise<T>): Query<T> {
  const { round, lost } = useContext(SessionContext);
  const [again, setAgain] = useState(0);
  const [settled, setSettled] = useState(false);
  const [state, setState] = useState<State<T>>({ scope, key, data: null, error: null });

  useEffect(() => {
    const abort = new AbortController();
    setSettled(false);
    const settle = (data: T | null, error: ApiError | null) => {
      if (abort.signal.aborted) return;
      setState({ scope, key, data, error });
      setSettled(true);
    };
    ask(abort.signal).then(
      (data) => settle(data, null),
      (cause: unknown) => {
        if (abort.signal.aborted) return;
        const error = cause instanceof ApiError ? cause : new ApiError('refused', 0, String(cause));
        if (error.kind === 'refused' || error.kind === 'late') settle(null, error);
        else lost(error); // The session asks again when the server is back; until then, the earlier answer stays.
      },
    );
    return () => abort.abort();
    // `ask` is a new function in every rendering; `key` stands for all it depends on.
  }, [scope, key, round, again]);

  const known = state.scope === scope;
  return {
    data: known ? state.data : null,
    error: known && settled && state.key === key ? state.error : null,
    loading: !settled || !known || state.key !== key,
    stale: state.key !== key,
    retry: () => setAgain(again + 1),
  };
}
