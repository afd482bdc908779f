// Timers that rest while nobody is looking.
import { useEffect, useRef } from 'preact/hooks';

/** Calls `tick` every `ms` while the page is visible, and at once when it becomes visible again; never for `null`. */
export function useInterval(ms: number | null, tick: () => unknown): void {
  const latest = useRef(tick);
  latest.current = tick;

  useEffect(() => {
    if (ms === null) return;
    let last = performance.now();
    const call = () => {
      if (document.hidden || performance.now() - last < ms) return;
      last = performance.now();
      latest.current();
    };
    const timer = setInterval(call, ms);
    document.addEventListener('visibilitychange', call);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', call);
    };
  }, [ms]);
}
