// The top figures. The two that have a course over time choose what the chart draws.
import type { Figures as Data } from '../api';
import type { Metric } from '../state/url';
import { NONE, decimal, duration, exact, percent, short } from '../text/numbers';

interface Props {
  data: Data | null;
  stale: boolean;
  metric: Metric;
  onMetric: (metric: Metric) => void;
}

export function Figures({ data, stale, metric, onMetric }: Props) {
  const visited = data !== null && data.visits > 0;
  const choose = (of: Metric) => ({ pressed: metric === of, onPress: () => onMetric(of) });
  return (
    <div
      class={stale ? 'figures stale' : 'figures'}
      role="group"
      aria-label="Figures"
      aria-busy={!data || stale}
    >
      <Figure
        name="Unique visitors"
        value={data && short(data.unique_visitors)}
        title={data && exact(data.unique_visitors)}
        choice={choose('visitors')}
      />
      <Figure
        name="Pageviews"
        value={data && short(data.total_pageviews)}
        title={data && exact(data.total_pageviews)}
        choice={choose('pageviews')}
      />
      <Figure name="Visits" value={data && short(data.visits)} title={data && exact(data.visits)} />
      {/* Of no visits there is no average. */}
      <Figure name="Views per visit" value={data && (visited ? decimal(data.views_per_visit) : NONE)} />
      <Figure name="Bounce rate" value={data && (visited ? percent(data.bounce_rate) : NONE)} />
      <Figure
        name="Visit duration"
        value={data && (visited ? duration(data.avg_visit_duration_secs) : NONE)}
        title={
          data && data.avg_visit_duration_secs === null ? 'Not known: times are rounded to the hour' : null
        }
      />
    </div>
  );
}

interface FigureProps {
  name: string;
  value: string | null;
  title?: string | null;
  choice?: { pressed: boolean; onPress: () => void };
}

function Figure({ name, value, title, choice }: FigureProps) {
  const content = (
    <>
      <span class="figure-name">{name}</span>
      <span class="figure-value" title={title ?? undefined}>
        {value ?? <span class="skeleton skeleton-figure" />}
      </span>
    </>
  );
  if (!choice) return <div class="figure">{content}</div>;
  return (
    <button class="figure" type="button" aria-pressed={choice.pressed} onClick={choice.onPress}>
      {content}
    </button>
  );
}
