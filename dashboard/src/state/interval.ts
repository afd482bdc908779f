// Timers that rest while nobody is looking.
import { useEffect, useRef } from 'preact/hooks';

/** Calls `tick` every `ms` while the page is visible, and at once when it becomes visible again; never for `null`. */
export function useInterval(ms: number | null, tick: () => unknown): void {
  const latest = useRef(tick);
  latest.current = tick;

  useEffect(() => {
    if (ms === null) return;
    return every(ms, () => latest.current());
  }, [ms]);
}

/** The same outside of a component; what it returns ends it. */
export function every(ms: number, tick: () => unknown): () => void {
  let last = performance.now();
  const call = () => {
    last = performance.now();
    tick();
  };
  // Not by the clock: timers are late by turns, and a tick after a late one would seem to come too early.
  const onTimer = () => {
    if (!document.hidden) call();
  };
  const onVisibility = () => {
    if (!document.hidden && performance.now() - last >= ms) call();
  };
  const timer = setInterval(onTimer, ms);
  document.addEventListener('visibilitychange', onVisibility);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', onVisibility);
  };
}
