import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { every } from '../../src/state/interval';

const page = Object.assign(new EventTarget(), { hidden: false });
const show = (visible: boolean) => {
  page.hidden = !visible;
  page.dispatchEvent(new Event('visibilitychange'));
};

let end = () => {};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', page);
  page.hidden = false;
});

afterEach(() => {
  end();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a tick after a late one is not left out', () => {
  const tick = vi.fn();
  let late = 0;
  const onTime = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => onTime() + late);
  end = every(1000, tick);
  late = 20;
  vi.advanceTimersByTime(1000);
  late = 0;
  vi.advanceTimersByTime(1000);
  expect(tick).toHaveBeenCalledTimes(2);
});

test('nobody is asked while nobody looks, and at once when somebody does again', () => {
  const tick = vi.fn();
  end = every(1000, tick);
  show(false);
  vi.advanceTimersByTime(1500);
  expect(tick).not.toHaveBeenCalled();
  show(true);
  expect(tick).toHaveBeenCalledTimes(1);
  show(false);
  show(true);
  expect(tick).toHaveBeenCalledTimes(1);
});

test('after its end it is silent', () => {
  const tick = vi.fn();
  every(1000, tick)();
  vi.advanceTimersByTime(3000);
  show(true);
  expect(tick).not.toHaveBeenCalled();
});
