import { expect, test } from 'vitest';
import { exportAddress, wireOf, type Filter } from '../../src/api';
import { formatFilter, parseFilters, picked, toggle } from '../../src/state/filters';
import { filterName } from '../../src/text/filters';

const page = (value: string): Filter => ({ operator: 'is', dimension: 'pages', values: [value] });
const germany: Filter = { operator: 'is', dimension: 'countries', values: ['DE'] };

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

const ALL: readonly [string, Filter, unknown, string][] = [
  [
    'pages:/a|/b',
    { operator: 'is', dimension: 'pages', values: ['/a', '/b'] },
    ['is', 'pages', ['/a', '/b']],
    'Page is /a or /b',
  ],
  [
    'is_not:sources:(direct)',
    { operator: 'is_not', dimension: 'sources', values: ['(direct)'] },
    ['is_not', 'sources', ['(direct)']],
    'Source is not Direct or none',
  ],
  [
    'contains:pages:a\\|b\\\\:c',
    { operator: 'contains', dimension: 'pages', values: ['a|b\\:c'] },
    ['contains', 'pages', ['a|b\\:c']],
    'Page contains a|b\\:c',
  ],
  [
    'has_done:event:Sign up: now',
    { operator: 'has_done', dimension: 'event', values: ['Sign up: now'] },
    ['has_done', ['is', 'event:name', ['Sign up: now']]],
    'Visit has event Sign up: now',
  ],
  [
    'has_not_done:goal:Signup',
    { operator: 'has_not_done', dimension: 'goal', values: ['Signup'] },
    ['has_not_done', ['is', 'event:goal', ['Signup']]],
    'Visit has no goal Signup',
  ],
  [
    'props:a\\:b|c\\\\:pro',
    { operator: 'is', dimension: 'props:a:b|c\\', values: ['pro'] },
    ['is', 'props:a:b|c\\', ['pro']],
    'Property a:b|c\\ is pro',
  ],
  [
    'segment:3',
    { operator: 'is', dimension: 'segment', values: ['3'] },
    ['is', 'segment', [3]],
    'Segment is 3',
  ],
];

test.each(ALL)(
  '%s is one filter in the address, for the server and in words',
  (text, filter, wire, words) => {
    expect(parseFilters([text])).toEqual([filter]);
    expect(parseFilters([formatFilter(filter)])).toEqual([filter]);
    expect(wireOf(filter)).toEqual(wire);
    expect(filterName(filter)).toBe(words);
  },
);

test('what the server would refuse is no filter', () => {
  expect(
    parseFilters([
      'segment:three',
      'contains:segment:3',
      'matches:goal:^S',
      'has_done:countries:DE',
      'props::x',
      'secrets:x',
      'likes:pages:/a',
      'pages',
    ]),
  ).toEqual([]);
});

test('several of a kind can hold where they can be true together', () => {
  const texts = [
    'has_done:event:A',
    'has_done:event:B',
    'is_not:pages:/a',
    'pages:/b',
    'segment:1',
    'segment:2',
  ];
  expect(parseFilters(texts).map(formatFilter)).toEqual(texts);
});

test('a click on an event asks for visits that have it, one on a page for the page', () => {
  expect(formatFilter(picked('event', 'Signup'))).toBe('has_done:event:Signup');
  expect(formatFilter(picked('pages', '/a'))).toBe('pages:/a');
  expect(formatFilter(picked('props:plan', 'pro'))).toBe('props:plan:pro');
});
