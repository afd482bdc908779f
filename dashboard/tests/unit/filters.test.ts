import { expect, test } from 'vitest';
import { exportAddress, type Filter } from '../../src/api';
import { toggle } from '../../src/state/filters';

const page = (value: string): Filter => ({ dimension: 'pages', value });
const germany: Filter = { dimension: 'countries', value: 'DE' };

test('a click on a value adds it, takes the place of another of its dimension, and takes itself back', () => {
  expect(toggle([germany], page('/a'))).toEqual([germany, page('/a')]);
  expect(toggle([page('/a'), germany], page('/b'))).toEqual([page('/b'), germany]);
  expect(toggle([page('/a'), germany], page('/a'))).toEqual([germany]);
});

test('a file of days is filtered, one of events never: the server refuses that', () => {
  const question = { site: 'a', period: 'day', from: null, to: null, filters: [page('/"x"'), germany] };
  const asked = (kind: 'daily' | 'events') =>
    new URL(exportAddress(question, kind, 'csv'), 'http://localhost').searchParams.get('filters');
  expect(asked('daily')).toBe('[["is","pages",["/\\"x\\""]],["is","countries",["DE"]]]');
  expect(asked('events')).toBeNull();
});
