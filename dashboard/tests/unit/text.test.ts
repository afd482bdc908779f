import { describe, expect, test } from 'vitest';
import type { Bucket } from '../../src/api';
import { changeOf } from '../../src/text/change';
import { bucketName, intervalOf, spanName, tickName } from '../../src/text/buckets';
import { siteIdOf, snippetFor } from '../../src/text/domain';
import { decimal, duration, exact, percent, short } from '../../src/text/numbers';
import { nameOf } from '../../src/text/values';

const bucket = (date: string, start = `${date.replace(' ', 'T').padEnd(16, 'T00:00')}:00Z`): Bucket => ({
  date,
  start,
  visitors: 0,
  pageviews: 0,
});

describe('numbers', () => {
  test('keep every digit while they are few', () => {
    expect(short(12_345)).toBe(exact(12_345));
    expect(short(1_234_567)).toBe('1.2M');
    expect(decimal(2.449)).toBe('2.4');
  });

  test('small rates have a digit more', () => {
    expect(percent(0.413)).toBe('41%');
    expect(percent(0.041)).toBe('4.1%');
    expect(percent(0.03)).toBe('3.0%');
    expect(percent(0.0996)).toBe('10%');
    expect(percent(0)).toBe('0%');
    expect(percent(1)).toBe('100%');
  });

  test('durations are read at a glance, and an unknown one is no zero', () => {
    expect(duration(0)).toBe('0s');
    expect(duration(59.6)).toBe('1m 00s');
    expect(duration(151)).toBe('2m 31s');
    expect(duration(3_725)).toBe('1h 02m');
    expect(duration(null)).toBe('–');
  });
});

describe('a change', () => {
  test('is a part of what was there before', () => {
    expect(changeOf(150, 100)).toEqual({ text: '50%', direction: 'up' });
    expect(changeOf(0.4, 0.5)).toEqual({ text: '20%', direction: 'down' });
    expect(changeOf(96, 100)).toEqual({ text: '4.0%', direction: 'down' });
    expect(changeOf(0, 100)).toEqual({ text: '100%', direction: 'down' });
    expect(changeOf(100, 100)).toEqual({ text: '0%', direction: 'none' });
  });

  test('from nothing is no percentage, and a huge one is not written out', () => {
    expect(changeOf(5, 0)).toEqual({ text: 'new', direction: 'up' });
    expect(changeOf(0, 0)).toEqual({ text: '0%', direction: 'none' });
    expect(changeOf(15416, 263)).toEqual({ text: '>999%', direction: 'up' });
  });
});

describe('values', () => {
  test('are names for people, and unknown codes stay as they are', () => {
    expect(nameOf('countries', 'DE')).toBe('Germany');
    expect(nameOf('countries', 'not a code')).toBe('not a code');
    expect(nameOf('countries', '(unknown)')).toBe('Unknown');
    expect(nameOf('sources', '(direct)')).toBe('Direct or none');
    expect(nameOf('devices', 'mobile')).toBe('Mobile');
    expect(nameOf('pages', '/DE')).toBe('/DE');
    expect(nameOf('pages', '/caf%C3%A9%20am%20See')).toBe('/café am See');
    expect(nameOf('pages', '/100%')).toBe('/100%');
    expect(nameOf('utm_terms', '(unknown)')).toBe('None');
  });
});

describe('buckets', () => {
  test('tell their width, also across a clock change and from a cut first week', () => {
    expect(intervalOf([])).toBe('day');
    expect(intervalOf([bucket('2026-01-01')])).toBe('day');
    expect(intervalOf([bucket('2026-01-01 10:00'), bucket('2026-01-01 10:01')])).toBe('minute');
    expect(intervalOf(['01:00', '02:00', '02:00', '03:00'].map((at) => bucket(`2026-10-25 ${at}`)))).toBe(
      'hour',
    );
    expect(intervalOf(['01:00', '03:00'].map((at) => bucket(`2026-03-29 ${at}`)))).toBe('hour');
    expect(intervalOf(['2026-01-01', '2026-01-02'].map((day) => bucket(day)))).toBe('day');
    expect(intervalOf(['2026-01-01', '2026-01-05', '2026-01-12'].map((day) => bucket(day)))).toBe('week');
    expect(intervalOf(['2026-01-20', '2026-02-01', '2026-03-01'].map((day) => bucket(day)))).toBe('month');
  });

  test('are named in the time of the site, not of the reader', () => {
    const inTokyo = bucket('2026-03-04 09:00', '2026-03-04T00:00:00Z');
    expect(bucketName(inTokyo, 'hour')).toMatch(/Mar 4, 9:00.AM/);
    expect(bucketName(bucket('2026-03-04'), 'day')).toBe('Wed, Mar 4, 2026');
    expect(bucketName(bucket('2026-03-01'), 'month')).toBe('March 2026');
    expect(tickName(bucket('2026-03-04 18:00'), 'hour')).toMatch(/^6.PM$/);
    expect(tickName(bucket('2026-01-01'), 'month')).toBe('2026');
    expect(tickName(bucket('2026-02-01'), 'month')).toBe('Feb');
  });

  test('have a span', () => {
    expect(spanName([bucket('2026-03-04'), bucket('2026-03-10')])).toMatch(/Mar 4\s–\s10, 2026/);
    expect(spanName(['2026-01-20', '2026-02-01', '2026-03-01'].map((day) => bucket(day)))).toMatch(
      /Jan\s–\sMar 2026/,
    );
    expect(spanName([])).toBe('');
  });
});

describe('a domain', () => {
  test('is taken from whatever is pasted', () => {
    expect(siteIdOf(' https://Example.com/pricing?x=1 ')).toBe('example.com');
    expect(siteIdOf('localhost:3000')).toBe('localhost:3000');
    expect(siteIdOf('two words')).toBeNull();
    expect(siteIdOf('"><script>')).toBeNull();
    expect(siteIdOf('')).toBeNull();
  });

  test('makes the snippet of the contract', () => {
    expect(snippetFor('example.com', 'https://stats.example.com')).toBe(
      '<script defer data-domain="example.com" src="https://stats.example.com/mallard.js"></script>',
    );
  });
});
