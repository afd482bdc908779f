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
  'the form of a filter, with mistakes': {
    path: '/?filter=has_done:goal:Signup&filter=props:plan:pro',
    ready: async (page) => {
      await page.getByRole('button', { name: 'Filter', exact: true }).click();
      await page.getByLabel('Show only where').selectOption('Property');
      await page.getByRole('button', { name: 'Or another value' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Add filter' }).click();
      await page.getByRole('alert').first().waitFor();
    },
  },
  'the segments': {
    path: '/?filter=countries:DE',
    state: { segments: [{ id: 1, name: 'Phones', filters: [] }] },
    ready: async (page) => {
      await page.getByRole('button', { name: 'Segments' }).click();
      await page.getByRole('list', { name: 'Saved segments' }).waitFor();
    },
  },
  'the settings of a site': {
    ready: (page) => page.getByRole('button', { name: 'Settings' }).click(),
  },
  'a new key': {
    ready: async (page) => {
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('tab', { name: 'API keys' }).click();
      await page.getByLabel('Name', { exact: true }).fill('Import');
      await page.getByRole('button', { name: 'Make key' }).click();
      await page.getByText('It is shown only now').waitFor();
    },
  },
  'values of a property': {
    path: '/?event=Signup&property=plan',
    ready: (page) => page.getByRole('button', { name: 'pro', exact: true }).waitFor(),
  },
  'a server that stores nothing': {
    state: { ingest: 'poisoned' },
    ready: (page) => page.getByText('The server cannot store events').waitFor(),
  },
  'a long wait for the first event': {
    path: '/?site=example.com',
    state: { sites: [] },
    clock: true,
    ready: async (page) => {
      await page.getByText('Waiting for the first event').waitFor();
      await page.clock.runFor(31_000);
      await page.getByText('MALLARD_SITE_IDS').waitFor();
    },
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

  for (const [name, { path = '/', state, viewport, clock, ready }] of Object.entries(SCREENS)) {
    for (const scheme of ['light', 'dark']) {
      test(`${name}, in ${scheme} colours`, async (t) => {
        const mock = await startMock();
        t.after(mock.close);
        Object.assign(mock.state, state);
        // Only so that the checker itself can be put into the page.
        const { page, close } = await openPage(browser, { scheme, viewport, bypassCSP: true });
        t.after(close);
        if (clock) await page.clock.install();
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
