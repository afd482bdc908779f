// What becomes of a call that is not answered well. The network and the clock are stood in for.
import { afterEach, expect, test, vi } from 'vitest';
import { figures, type Question } from '../../src/api';

const question: Question = { site: 'a', period: 'day', from: null, to: null, filters: [] };

afterEach(() => vi.restoreAllMocks());

/** A server that takes the question and says nothing; it ends like a real one when the signal does. */
const silence = (_: unknown, init?: RequestInit) =>
  new Promise<Response>((_resolve, reject) => {
    const signal = init?.signal;
    if (signal?.aborted) reject(signal.reason as Error);
    signal?.addEventListener('abort', () => reject(signal.reason as Error));
  });

const timeIsUp = () => {
  const late = AbortSignal.abort(new DOMException('The operation timed out.', 'TimeoutError'));
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(late);
};

test('a time-out is an error of what was asked for, not a server that is gone', async () => {
  timeIsUp();
  vi.spyOn(globalThis, 'fetch').mockImplementation(silence);
  const asked = figures(question, new AbortController().signal);
  await expect(asked).rejects.toMatchObject({ kind: 'late', message: /longer than 45 seconds/ });
});

test('the time goes on while an answer arrives', async () => {
  const cut = new DOMException('The operation timed out.', 'TimeoutError');
  const body = new ReadableStream({ start: (controller) => controller.error(cut) });
  vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response(body));
  await expect(figures(question, new AbortController().signal)).rejects.toMatchObject({ kind: 'late' });
});

test('no connection is a server that cannot be reached', async () => {
  vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('Failed to fetch'));
  await expect(figures(question, new AbortController().signal)).rejects.toMatchObject({
    kind: 'unreachable',
  });
});

test('who gives up a question hears of no error', async () => {
  vi.spyOn(globalThis, 'fetch').mockImplementation(silence);
  const asker = new AbortController();
  const asked = figures(question, asker.signal);
  asker.abort();
  await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
});
