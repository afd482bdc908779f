// The chart as a component: a canvas that follows its element's size and the colour scheme, and a tooltip.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Bucket } from '../api';
import { coloursOf } from '../chart/colours';
import { plot, sizeOf } from '../chart/plot';
import { runningOf, seriesOf } from '../chart/series';
import type { Scheme } from '../state/theme';
import type { Metric } from '../state/url';
import { bucketName, intervalOf } from '../text/buckets';
import { exact } from '../text/numbers';

interface Props {
  buckets: readonly Bucket[];
  /** Those of the days that these are compared with, in the same order. */
  before: readonly Bucket[] | null;
  metric: Metric;
  scheme: Scheme;
  /** What a screen reader says instead; the same numbers are there as a table. */
  label: string;
}

interface Point {
  index: number;
  left: number;
  top: number;
}

export function Chart({ buckets, before, metric, scheme, label }: Props) {
  const target = useRef<HTMLDivElement>(null);
  const [point, setPoint] = useState<Point | null>(null);
  const interval = intervalOf(buckets);

  useEffect(() => {
    const element = target.current;
    if (!element) return;
    const series = seriesOf(buckets, before, metric, interval, Date.now());
    const drawn = plot(element, { buckets, interval, series, onPoint: setPoint }, coloursOf(element));
    const resize = new ResizeObserver(() => drawn.setSize(sizeOf(element)));
    resize.observe(element);
    return () => {
      resize.disconnect();
      drawn.destroy();
      setPoint(null);
    };
  }, [buckets, before, metric, interval, scheme]);

  const bucket = point && buckets[point.index];
  const isRunning = point?.index === runningOf(buckets, interval, Date.now());
  const earlier = point && before?.[point.index];
  return (
    <div class="chart" role="img" aria-label={label}>
      <div class="chart-canvas" ref={target} />
      {bucket && (
        <div class="tooltip" style={placeOf(point, target.current)}>
          <TooltipBucket
            bucket={bucket}
            name={`${bucketName(bucket, interval)}${isRunning ? ', not over yet' : ''}`}
            metric={metric}
          />
          {earlier && (
            <TooltipBucket bucket={earlier} name={bucketName(earlier, interval)} metric={metric} before />
          )}
        </div>
      )}
    </div>
  );
}

interface BucketProps {
  bucket: Bucket;
  name: string;
  metric: Metric;
  before?: boolean;
}

function TooltipBucket({ bucket, name, metric, before = false }: BucketProps) {
  return (
    <div class={before ? 'tooltip-bucket before' : 'tooltip-bucket'}>
      <div class="tooltip-title">{name}</div>
      <TooltipLine name="Visitors" value={bucket.visitors} strong={metric === 'visitors'} />
      <TooltipLine name="Pageviews" value={bucket.pageviews} strong={metric === 'pageviews'} />
    </div>
  );
}

function TooltipLine({ name, value, strong }: { name: string; value: number; strong: boolean }) {
  return (
    <div class={strong ? 'tooltip-line strong' : 'tooltip-line'}>
      <span>{name}</span>
      <span>{exact(value)}</span>
    </div>
  );
}

const TOOLTIP_WIDTH_PX = 190;

/** Beside the point, on the side that has room. */
function placeOf({ left, top }: Point, element: HTMLElement | null) {
  const flipped = left + TOOLTIP_WIDTH_PX > (element?.clientWidth ?? 0);
  const shift = flipped ? 'calc(-100% - 14px)' : '14px';
  return { transform: `translate(${left}px, ${Math.max(top - 28, 4)}px) translateX(${shift})` };
}
