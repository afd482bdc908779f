// The one chart, drawn by uPlot: an area from zero, a dashed end for the bucket still running, a thin line for the days it
// is compared with, a crosshair.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Bucket } from '../api';
import { tickName, type Interval } from '../text/buckets';
import { shortest } from '../text/numbers';
import type { Colours } from './colours';
import { ticksOf, type Series } from './series';

export interface Input {
  buckets: readonly Bucket[];
  interval: Interval;
  series: Series;
  /** Called with the bucket below the pointer and its place, in pixels of the plot's element; null when it leaves. */
  onPoint: (point: { index: number; left: number; top: number } | null) => void;
}

/** The place of the comparison among the series: below the others. */
const BEFORE = 1;

const TICK_WIDTH_PX = 64;

/** From this many values on, a thinner line tells more. */
const DENSE = 150;

export function plot(target: HTMLElement, input: Input, colours: Colours): uPlot {
  const { solid, dashed, before, x } = input.series;
  const options: uPlot.Options = {
    ...sizeOf(target),
    padding: [12, 28, 0, 0],
    legend: { show: false },
    scales: { x: { time: false, range: [0, Math.max(x.length - 1, 1)] }, y: { range: yRange } },
    axes: [xAxis(input, colours), yAxis(colours)],
    series: [{}, lineBefore(colours), line(colours, solid), line(colours, dashed, [5, 5])],
    cursor: {
      y: false,
      drag: { x: false, y: false },
      move: (u, left, top) => [left < 0 ? left : u.valToPos(u.posToIdx(left), 'x'), top],
      points: {
        size: 10,
        width: 2,
        stroke: colours.surface,
        fill: (_, series) => (series === BEFORE ? colours.text : colours.line),
      },
    },
    hooks: { setCursor: [(u) => input.onPoint(pointOf(u, input.series))] },
  };
  return new uPlot(options, [x, before, solid, dashed], target);
}

export function sizeOf(target: HTMLElement): { width: number; height: number } {
  return { width: target.clientWidth, height: target.clientHeight };
}

/** From zero to a little above the highest value; never so small that one visit fills the chart with fractions. */
function yRange(_: uPlot, __: number, max: number): uPlot.Range.MinMax {
  return [0, Math.max((max || 0) * 1.08, 4)];
}

function line(colours: Colours, values: readonly (number | null)[], dash?: number[]): uPlot.Series {
  const drawn = values.filter((value) => value !== null).length;
  return {
    stroke: colours.line,
    width: drawn < DENSE ? 2 : 1.5,
    cap: 'round',
    ...(dash && { dash }),
    fill: (u) => gradient(u, colours),
    // A single value has no line; it is drawn as a point.
    points: { show: drawn === 1, size: 8, fill: colours.line },
  };
}

const lineBefore = (colours: Colours): uPlot.Series => ({
  stroke: colours.text,
  alpha: 0.75,
  width: 1.25,
  cap: 'round',
  points: { show: false },
});

function gradient({ ctx, bbox }: uPlot, { fillTop, fillBottom }: Colours): CanvasGradient {
  const fill = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height);
  fill.addColorStop(0, fillTop);
  fill.addColorStop(1, fillBottom);
  return fill;
}

function xAxis({ buckets, interval }: Input, { text, font }: Colours): uPlot.Axis {
  return {
    stroke: text,
    font,
    size: 34,
    gap: 8,
    grid: { show: false },
    ticks: { show: false },
    splits: ({ width }) => ticksOf(buckets, interval, Math.max(Math.floor(width / TICK_WIDTH_PX), 2)),
    values: (_, splits) =>
      splits.map((i) => {
        const bucket = buckets[i];
        return bucket ? tickName(bucket, interval) : '';
      }),
  };
}

function yAxis({ text, font, grid }: Colours): uPlot.Axis {
  return {
    stroke: text,
    font,
    size: 52,
    gap: 8,
    space: 48,
    incrs: [1, 2, 5]
      .flatMap((n) => Array.from({ length: 10 }, (_, power) => n * 10 ** power))
      .toSorted((a, b) => a - b),
    grid: { stroke: grid, width: 1 },
    ticks: { show: false },
    values: (_, splits) => splits.map(shortest),
  };
}

function pointOf(u: uPlot, { begun, solid, dashed }: Series) {
  const { idx } = u.cursor;
  if (idx === null || idx === undefined || idx >= begun) return null;
  const value = solid[idx] ?? dashed[idx] ?? 0;
  const { offsetLeft, offsetTop } = u.over;
  return { index: idx, left: offsetLeft + u.valToPos(idx, 'x'), top: offsetTop + u.valToPos(value, 'y') };
}
