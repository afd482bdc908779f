// Every screen, checked by axe-core in both colour schemes: names, roles, structure, contrast.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { PHONE, launch, noBrowser, openPage } from '../support/browser.mjs';
import { complete } from '../support/dashboard.mjs';
import { startMock } from '../support/mock-server.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const SCREENS = {
  'the dashboard': { ready: complete },
  'the dashboard on a phone, with an open menu': {
    viewport: PHONE,
    ready: (page) => page.getByRole('button', { name: /Site:/ }).click(),
  },
  'the dashboard with open tabs and filters': {
    path: '/?tabs=utm_mediums,cities&filter=countries:DE&filter=pages:/pricing',
    ready: complete,
  },
  'a comparison, with its open menu': {
    path: '/?compare=previous_period',
    ready: async (page) => {
      await complete(page);
      await page.getByRole('button', { name: /Period:/ }).click();
    },
  },
  'the chart as a table': {
    ready: (page) => page.getByRole('button', { name: 'Show the chart as a table' }).click(),
  },
  'the full list of a panel': {
    path: '/?details=countries',
    ready: (page) => page.getByRole('dialog').getByText('Japan').waitFor(),
  },
  'reports that fail': {
    state: { failing: new Set(['timeseries', 'breakdown/pages']), incomplete: 'a 2026-01-01..2026-01-02' },
    ready: (page) => page.getByRole('alert').first().waitFor(),
  },
  'the wait for the first event': {
    path: '/?site=example.com',
    state: { sites: [] },
    ready: (page) => page.getByText('Waiting for the first event').waitFor(),
  },
  'a set-up with mistakes': {
    state: { setupRequired: true, authenticated: false },
    ready: (page) => page.getByRole('button', { name: 'Set password' }).click(),
  },
};

describe('nobody is shut out of', { skip: noBrowser, timeout: 600_000 }, () => {
  let browser;
  let axe;

  before(async () => {
    browser = await launch();
    axe = await readFile(AXE, 'utf8');
  });

  after(() => browser?.close());

  for (const [name, { path = '/', state, viewport, ready }] of Object.entries(SCREENS)) {
    for (const scheme of ['light', 'dark']) {
      test(`${name}, in ${scheme} colours`, async (t) => {
        const mock = await startMock();
        t.after(mock.close);
        Object.assign(mock.state, state);
        // Only so that the checker itself can be put into the page.
        const { page, close } = await openPage(browser, { scheme, viewport, bypassCSP: true });
        t.after(close);
        await page.goto(mock.url + path);
        await ready(page);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run());
        assert.deepEqual(
          violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`),
          [],
        );
      });
    }
  }
});
