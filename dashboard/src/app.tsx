// The gate: which screen stands before the figures. Waiting for the server, set-up, log-in, or the dashboard itself.
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError, auth, isAnswering } from './api';
import { Dashboard } from './components/dashboard';
import { LogIn } from './components/log-in';
import { SetUp } from './components/set-up';
import { Starting } from './components/starting';
import { useInterval } from './state/interval';
import { SessionContext } from './state/query';

type Gate = 'unreachable' | 'starting' | 'set-up' | 'log-in' | 'open';

const RETRY_MS = 2000;

export function App() {
  const [gate, setGate] = useState<Gate | null>(null);
  const [round, setRound] = useState(0);
  /** The dashboard is on screen, but the server has gone away from it. */
  const [disconnected, setDisconnected] = useState(false);

  const refresh = useCallback(() => setRound((last) => last + 1), []);

  const look = useCallback(async () => {
    const next = await gateOf();
    setGate(next);
    if (!isWaiting(next)) setDisconnected(false);
  }, []);

  const reconnect = useCallback(async () => {
    if (!(await isAnswering())) return;
    setDisconnected(false);
    refresh();
  }, [refresh]);

  useEffect(() => void look(), [look]);
  useInterval(isWaiting(gate) ? RETRY_MS : null, look);
  useInterval(disconnected ? RETRY_MS : null, reconnect);

  const lost = useCallback((error: ApiError) => {
    if (error.kind === 'unauthorised') setGate('log-in');
    else setDisconnected(true);
  }, []);

  const session = useMemo(() => ({ round, lost }), [round, lost]);

  switch (gate) {
    case null:
      return null;
    case 'unreachable':
    case 'starting':
      return <Starting answers={gate === 'starting'} />;
    case 'set-up':
      return <SetUp onDone={look} />;
    case 'log-in':
      return <LogIn onDone={look} />;
    case 'open':
      return (
        <SessionContext.Provider value={session}>
          <Dashboard disconnected={disconnected} refresh={refresh} leave={look} />
        </SessionContext.Provider>
      );
  }
}

const isWaiting = (gate: Gate | null) => gate === 'starting' || gate === 'unreachable';

async function gateOf(): Promise<Gate> {
  try {
    const status = await auth.status();
    if (status.setup_required) return 'set-up';
    // Whatever else is wrong with the server: reports that it can give are seen, and a notice says what is wrong.
    return status.authenticated ? 'open' : 'log-in';
  } catch (error) {
    const silent = !(error instanceof ApiError) || error.kind === 'unreachable' || error.kind === 'late';
    return silent ? 'unreachable' : 'starting';
  }
}
