// Pictures of the main screens for people to look at, in tests/screenshots (not in the repository).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { join } from 'node:path';
import { DESKTOP, PHONE, launch, noBrowser, openPage } from '../support/browser.mjs';
import { complete } from '../support/dashboard.mjs';
import { startMock } from '../support/mock-server.mjs';

const FOLDER = join(import.meta.dirname, '../screenshots');

const panels = async (page) => {
  await complete(page);
  // Below the header, which stays where it is.
  await page.locator('.panels').evaluate((element) => scrollTo(0, element.offsetTop - 110));
};

const SCREENS = {
  dashboard: { wait: complete },
  tabs: {
    path: '/?tabs=entry_pages,utm_mediums,cities,screen_sizes,browser_versions,os_versions',
    wait: panels,
  },
  filters: {
    path: `/?filter=pages:/blog/what-fsync-really-promises-and-what-it-does-not&filter=sources:(direct)&filter=countries:US`,
    wait: complete,
  },
  compared: { path: '/?compare=previous_period', wait: complete },
  'compared-day': {
    path: '/?period=day&compare=previous_period',
    wait: async (page) => {
      await complete(page);
      // The first hour: early in the day, it is the only one that has begun.
      await page.locator('.u-over').hover({ position: { x: 2, y: 60 } });
      await page.locator('.tooltip').waitFor();
    },
  },
  'compared-menu': {
    path: '/?compare=year_over_year',
    wait: async (page) => {
      await complete(page);
      await page.getByRole('button', { name: /Period:/ }).click();
    },
  },
  'compared-new': {
    path: '/?period=90d&compare=previous_period',
    state: { newborn: true },
    wait: complete,
  },
  'compared-table': {
    path: '/?period=7d&compare=previous_period',
    wait: async (page) => {
      await complete(page);
      await page.getByRole('button', { name: 'Show the chart as a table' }).click();
    },
  },
  'filters-details': {
    path: '/?filter=countries:US&details=countries',
    wait: (page) => page.getByRole('dialog').getByText('United States').waitFor(),
  },
  'no-values': {
    path: '/?tabs=utm_terms,cities',
    state: { blank: true },
    wait: async (page) => {
      await page.getByText('No cities are known').waitFor();
      await page.getByText('?utm_term=').scrollIntoViewIfNeeded();
    },
  },
  ...Object.fromEntries(
    ['events', 'goals', 'funnel', 'retention', 'flow', 'realtime'].map((tab) => [
      `explore-${tab}`,
      {
        path: `/?explore=${tab}&steps=page:/,page:/pricing,event:Signup`,
        state: { identity: 'user' },
        wait: async (page) => {
          await complete(page);
          const report = page.locator('#explore-report');
          await report.locator('table, ol').first().waitFor();
          await report.scrollIntoViewIfNeeded();
        },
      },
    ]),
  ),
  filter: {
    path: '/?filter=has_done:goal:Signup&filter=is_not:pages:/pricing|/about',
    wait: async (page) => {
      await complete(page);
      await page.getByRole('button', { name: 'Filter', exact: true }).click();
      await page.getByLabel('Show only where').selectOption('Property');
    },
  },
  segments: {
    path: '/?filter=countries:DE',
    state: { segments: [{ id: 1, name: 'Readers on phones', filters: [] }] },
    wait: async (page) => {
      await complete(page);
      await page.getByRole('button', { name: 'Segments' }).click();
      await page.getByRole('list', { name: 'Saved segments' }).waitFor();
    },
  },
  properties: {
    path: '/?event=Signup&property=plan',
    wait: async (page) => {
      await complete(page);
      const value = page.getByRole('button', { name: 'pro', exact: true });
      await value.waitFor();
      await value.scrollIntoViewIfNeeded();
    },
  },
  settings: {
    wait: async (page) => {
      await complete(page);
      await page.getByRole('button', { name: 'Settings' }).click();
    },
  },
  keys: {
    wait: async (page) => {
      await complete(page);
      await page.getByRole('button', { name: 'Settings' }).click();
      await page.getByRole('tab', { name: 'API keys' }).click();
      await page.getByLabel('Name', { exact: true }).fill('Nightly import');
      await page.getByRole('button', { name: 'Make key' }).click();
      await page.getByText('It is shown only now').waitFor();
    },
  },
  'first-event': {
    path: '/?site=example.com',
    state: { sites: [] },
    wait: (page) => page.getByText('Waiting for the first event').waitFor(),
  },
  'set-up': {
    state: { setupRequired: true, authenticated: false },
    wait: (page) => page.getByRole('button', { name: 'Set password' }).waitFor(),
  },
};

describe('screenshots', { skip: noBrowser, timeout: 600_000 }, () => {
  let browser;

  before(async () => {
    browser = await launch();
  });

  after(() => browser?.close());

  for (const [name, { path = '/', state, wait }] of Object.entries(SCREENS)) {
    for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
      for (const scheme of ['light', 'dark']) {
        test(`${name} on a ${device} in ${scheme} colours`, async (t) => {
          const mock = await startMock();
          t.after(mock.close);
          Object.assign(mock.state, state);
          const { page, complaints, close } = await openPage(browser, { viewport, scheme });
          t.after(close);
          await page.goto(mock.url + path);
          await wait(page);
          await page.screenshot({
            path: join(FOLDER, `${name}-${device}-${scheme}.png`),
            animations: 'disabled',
          });
          assert.deepEqual(complaints, []);
        });
      }
    }
  }
});
