// The values that there are, offered below a field. They only help: without them, any value can still be typed.
import { useEffect, useState } from 'preact/hooks';
import {
  breakdown,
  events,
  goalList,
  properties,
  type Filter,
  type FilterDimension,
  type Question,
} from '../api';
import { isDimension } from '../state/panels';
import { useQuery } from '../state/query';
import { valueName } from '../text/filters';

const VALUES = 100;

/** While the key of a property is typed, not every letter is a question. */
const PAUSE_MS = 400;

interface Props {
  id: string;
  question: Question;
  dimension: FilterDimension;
  /** The filter that is being changed: what it leaves out should be offered, too. */
  except: Filter | null;
}

export function Suggestions({ id, question, dimension, except }: Props) {
  const asked = useSettled(dimension);
  const others = { ...question, filters: question.filters.filter((one) => one !== except) };
  const { data } = useQuery(`${question.site} suggestions ${asked}`, '', (signal) =>
    suggest(others, asked, signal),
  );
  return (
    <datalist id={id}>
      {asked === dimension &&
        data?.map((value) => {
          const name = valueName(dimension, value);
          return <option key={value} value={value} label={name === value ? undefined : name} />;
        })}
    </datalist>
  );
}

async function suggest(
  question: Question,
  dimension: FilterDimension,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (dimension === 'goal') return (await goalList.of(question.site, signal)).map(({ name }) => name);
  if (dimension === 'segment') return [];
  const { value: rows } = isDimension(dimension)
    ? await breakdown(question, dimension, VALUES, signal)
    : dimension === 'event'
      ? await events(question, VALUES, signal)
      : await properties(question, dimension.slice('props:'.length), VALUES, signal);
  return rows.map(({ value }) => value);
}

function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
