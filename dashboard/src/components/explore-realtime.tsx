// The last five minutes in numbers, and the last thirty one by one.
import { realtime, type Bucket } from '../api';
import { useInterval } from '../state/interval';
import { useQuery } from '../state/query';
import { exact } from '../text/numbers';
import type { Asked } from './explore';
import { Explored } from './explored';

const REFRESH_MS = 10_000;

export function ExploreRealtime({ question, questionKey }: Asked) {
  const query = useQuery(`${question.site} realtime`, questionKey, (signal) => realtime(question, signal));
  useInterval(REFRESH_MS, () => query.loading || query.retry());
  return (
    <Explored query={query} isEmpty={() => false} empty="">
      {(now) => (
        <>
          <p class="now">
            <strong>{exact(now.visitors)}</strong> visitors, {exact(now.pageviews)} pageviews and{' '}
            {exact(now.events)} events in the last five minutes
          </p>
          <Minutes minutes={now.minutes} />
        </>
      )}
    </Explored>
  );
}

function Minutes({ minutes }: { minutes: readonly Bucket[] }) {
  const highest = Math.max(...minutes.map((minute) => minute.visitors));
  const time = (minute: Bucket | undefined) => minute?.date.slice(-5);
  return (
    <figure class="now-chart">
      <figcaption class="explain">
        Visitors per minute, the last thirty minutes. Highest: {exact(highest)}
      </figcaption>
      <ol class="minutes">
        {minutes.map((minute) => {
          const text = `${time(minute)}: ${exact(minute.visitors)} visitors`;
          return (
            <li key={minute.start} style={{ '--part': minute.visitors / Math.max(highest, 1) }} title={text}>
              <span class="visually-hidden">{text}</span>
            </li>
          );
        })}
      </ol>
      <p class="minutes-axis" aria-hidden="true">
        <span>{time(minutes[0])}</span>
        <span>{time(minutes[Math.floor(minutes.length / 2)])}</span>
        <span>{time(minutes.at(-1))}</span>
      </p>
    </figure>
  );
}
