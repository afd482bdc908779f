// The settings of a site, and keys, against the mock server: what is sent, what is shown once, and what a refusal says.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { PHONE, launch, noBrowser, openPage } from '../support/browser.mjs';
import { figures } from '../support/dashboard.mjs';
import { startMock } from '../support/mock-server.mjs';

describe('settings', { skip: noBrowser, timeout: 600_000 }, () => {
  let browser;
  let mock;
  let opened;
  let page;
  let dialog;

  const open = async (tab, options) => {
    opened = await openPage(browser, options);
    page = opened.page;
    dialog = page.getByRole('dialog', { name: 'Settings of mallard.example' });
    await page.goto(mock.url);
    await figures(page);
    await page.getByRole('button', { name: 'Settings' }).click();
    if (tab) await dialog.getByRole('tab', { name: tab }).click();
  };

  before(async () => {
    browser = await launch();
  });

  after(() => browser?.close());

  beforeEach(async () => {
    mock = await startMock();
  });

  afterEach(async () => {
    await opened.close();
    await mock.close();
    const unexpected = opened.complaints.filter((text) => !text.startsWith('Failed to load resource'));
    assert.deepEqual(unexpected, []);
  });

  test('the time zone and the users of a site are saved, and reports follow', async () => {
    await open();
    await dialog.getByLabel('Time zone').selectOption('America/New_York');
    await dialog.getByLabel('Recognise users who are logged in at the site').check();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByRole('status').getByText('Saved').waitFor();
    await page.getByText('Times are in America/New_York.').waitFor();
    const site = mock.state.sites.find((one) => one.site_id === 'mallard.example');
    assert.deepEqual([site.timezone, site.identify_users], ['America/New_York', true]);
  });

  test('what the server says against a setting is shown', async () => {
    await open();
    await page.route('**/api/sites/mallard.example', (route) =>
      route.fulfill({ status: 409, json: { error: 'Too many sites have settings' } }),
    );
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByRole('alert').getByText('Too many sites have settings').waitFor();
  });

  test('goals are listed, made under a name, and removed', async () => {
    await open('Goals');
    await dialog.getByText('Event Signup').waitFor();
    await dialog.getByLabel('Goal', { exact: true }).fill('/pricing');
    await dialog.getByLabel('Name of the goal').fill('Looked at prices');
    await dialog.getByRole('button', { name: 'Add goal' }).click();
    await dialog.getByText('Looked at prices').waitFor();
    await dialog.getByRole('button', { name: 'Remove goal Signup' }).click();
    await dialog.getByRole('button', { name: 'Remove goal Signup for good' }).click();
    await dialog.getByText('Event Signup').waitFor({ state: 'detached' });
    assert.deepEqual(mock.state.goals, [{ id: 2, page: '/pricing', name: 'Looked at prices' }]);
  });

  test('a key is made for the site that is shown, seen once, copied, and revoked', async () => {
    await open('API keys', { permissions: ['clipboard-read', 'clipboard-write'] });
    await dialog.getByText('ReadOnly, mallard.example').waitFor();
    await dialog.getByRole('button', { name: 'Make key' }).click();
    await dialog.getByRole('alert').getByText('Which program is it for?').waitFor();
    await dialog.getByLabel('Name', { exact: true }).fill('Nightly import');
    await dialog.getByLabel('May').selectOption('Ingest');
    await dialog.getByLabel('Sites', { exact: true }).fill('mallard.example shop.example');
    await dialog.getByLabel('Ends').selectOption('In 90 days');
    await dialog.getByRole('button', { name: 'Make key' }).click();
    await dialog.getByText('It is shown only now').waitFor();
    const made = mock.state.keys.at(-1);
    assert.deepEqual(
      [made.name, made.scope, made.sites],
      ['Nightly import', 'Ingest', ['mallard.example', 'shop.example']],
    );
    const days = (Date.parse(made.expires_at) - Date.now()) / 86_400_000;
    assert.ok(days > 89 && days <= 90, made.expires_at);

    await dialog.getByRole('button', { name: 'Copy' }).click();
    await dialog.getByRole('button', { name: 'Copied' }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `mm_${'5f'.repeat(32)}`);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings' }).click();
    await dialog.getByRole('tab', { name: 'API keys' }).click();
    await dialog.getByRole('button', { name: 'Revoke key Grafana' }).click();
    assert.equal(await dialog.getByText('It is shown only now').count(), 0);
    assert.equal(mock.state.keys[0].revoked, false);
    await dialog.getByRole('button', { name: 'Revoke key Grafana for good' }).click();
    await dialog.getByText('Revoked').waitFor();
    assert.equal(mock.state.keys[0].revoked, true);
  });

  test('a key for all sites says so, and a day of one’s own is its last', async () => {
    await open('API keys');
    await dialog.getByLabel('Name', { exact: true }).fill('Backup');
    await dialog.getByLabel('For').selectOption('All sites');
    await dialog.getByLabel('Ends').selectOption('On a day of my own');
    await dialog.getByLabel('Last day').fill('2027-01-31');
    await dialog.getByRole('button', { name: 'Make key' }).click();
    await dialog.getByText('ReadOnly, all sites, until Sun, 31 Jan 2027').waitFor();
    assert.equal(mock.state.keys.at(-1).expires_at, '2027-01-31T23:59:59.000Z');
  });

  test('a session that has ended leads to the log-in', async () => {
    await open();
    mock.state.authenticated = false;
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

  test('nothing is cut on a phone', async () => {
    await open('API keys', { viewport: PHONE });
    await dialog.getByRole('button', { name: 'Make key' }).scrollIntoViewIfNeeded();
    const { x, y, width, height } = await dialog.getByRole('button', { name: 'Make key' }).boundingBox();
    assert.ok(x >= 0 && x + width <= PHONE.width && y + height <= PHONE.height);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0);

    // The key is above the form that made it, and must be seen nevertheless.
    await dialog.getByLabel('Name', { exact: true }).fill('Import');
    await dialog.getByRole('button', { name: 'Make key' }).click();
    await dialog.getByText('It is shown only now').waitFor();
    const top = (await dialog.getByText('It is shown only now').boundingBox()).y;
    const tabs = await dialog.getByRole('tablist').boundingBox();
    assert.ok(top >= tabs.y + tabs.height);
  });
});
