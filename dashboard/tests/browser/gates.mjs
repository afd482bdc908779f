// What stands before the figures, against the mock server: set-up, log-in, a server that is not ready, a report that fails.
//
// The browser itself reports refused requests on its console; here they are expected, breaches of the policy are not.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launch, noBrowser, openPage } from '../support/browser.mjs';
import { figures, logIn, rows, setUp } from '../support/dashboard.mjs';
import { SITES } from '../support/mock-data.mjs';
import { startMock } from '../support/mock-server.mjs';

describe('before the figures', { skip: noBrowser, timeout: 600_000 }, () => {
  let browser;
  let mock;
  let opened;
  let page;

  before(async () => {
    browser = await launch();
  });

  after(() => browser?.close());

  beforeEach(async () => {
    mock = await startMock();
    opened = await openPage(browser);
    page = opened.page;
  });

  afterEach(async () => {
    await opened.close();
    await mock.close();
    const unexpected = opened.complaints.filter((text) => !text.startsWith('Failed to load resource'));
    assert.deepEqual(unexpected, []);
  });

  test('the first run asks for a password twice, and for the token only where the server wants it', async () => {
    Object.assign(mock.state, { setupRequired: true, authenticated: false, setupToken: 'a1b2' });
    await page.goto(mock.url);
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByRole('alert').getByText('The two passwords differ.').waitFor();

    await setUp(page, mock.url);
    await page.getByLabel('Set-up token').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.name), 'token');
    await page.keyboard.type('wrong');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByRole('alert').getByText('Invalid setup token').waitFor();
    await page.getByLabel('Set-up token').fill('a1b2');
    await page.getByRole('button', { name: 'Set password' }).click();
    await figures(page);
  });

  test('a set-up that is refused for another reason says which, and asks for no token', async () => {
    Object.assign(mock.state, { setupRequired: true, authenticated: false });
    await page.route('**/api/auth/setup', (route) =>
      route.fulfill({ status: 403, json: { error: 'Cross-origin request refused' } }),
    );
    await setUp(page, mock.url);
    await page.getByRole('alert').getByText('Cross-origin request refused').waitFor();
    assert.equal(await page.getByLabel('Set-up token').count(), 0);
  });

  test('a wrong password is said, and the right one leads to the view that was asked for', async () => {
    Object.assign(mock.state, { authenticated: false, password: 'another one' });
    await logIn(page, `${mock.url}/?period=7d`);
    await page.getByRole('alert').getByText('Invalid password').waitFor();
    await page.getByLabel('Password').fill('another one');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('button', { name: /Last 7 days/ }).waitFor();
  });

  test('a session that ends leads to the log-in, and so does logging out', async () => {
    await page.goto(mock.url);
    await figures(page);
    mock.state.authenticated = false;
    await page.keyboard.press('u');
    await page.getByRole('heading', { name: 'Log in' }).waitFor();

    mock.state.authenticated = true;
    await page.reload();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

  test('a log-out that does not reach the server is not taken for one', async () => {
    await page.goto(mock.url);
    await figures(page);
    await page.route('**/api/auth/logout', (route) => route.abort());
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByText('You are still logged in').waitFor();
    await page.unroute('**/api/auth/logout');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

  test('a browser that drops the cookie is told so, not left with an empty form', async () => {
    Object.assign(mock.state, { authenticated: false, password: 'the right one', keepsCookies: false });
    await page.goto(mock.url);
    await page.getByLabel('Password').fill('the right one');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('The password is right, but this server allows log-in over https only.').waitFor();
  });

  test('the time to wait is said in minutes', async () => {
    mock.state.authenticated = false;
    await page.route('**/api/auth/login', (route) =>
      route.fulfill({ status: 429, headers: { 'retry-after': '299' }, json: { error: 'Try again later.' } }),
    );
    await logIn(page, mock.url);
    await page.getByText('Try again later. (In 5 minutes.)').waitFor();
  });

  test('a server that does not answer is not said to be starting', async () => {
    await page.route('**/api/auth/status', (route) => route.abort());
    await page.goto(mock.url);
    await page.getByRole('heading', { name: 'No answer' }).waitFor();
    await page.unroute('**/api/auth/status');
    await figures(page);
  });

  test('a proxy that answers in the place of the server is waited through', async () => {
    await page.route('**/api/auth/status', (route) => route.fulfill({ status: 503, body: 'Bad gateway' }));
    await page.route('**/health/*', (route) => route.fulfill({ status: 503, body: 'Bad gateway' }));
    await page.goto(mock.url);
    await page.getByRole('heading', { name: 'Not ready' }).waitFor();
    await page.unrouteAll();
    await figures(page);
  });

  test('reports are seen while the server can store nothing, with a notice that says so', async () => {
    mock.state.ingest = 'poisoned';
    await page.goto(mock.url);
    await figures(page);
    await page.getByRole('status').getByText('The server cannot store events').waitFor();
    // A report that runs out of time is an error of its own, and no reason to say that the server is gone.
    await page.route('**/api/stats/breakdown/sources?*', (route) =>
      route.fulfill({ status: 503, json: { error: 'Query time limit exceeded' } }),
    );
    await page.keyboard.press('u');
    const sources = page.getByRole('region', { name: 'Sources' });
    await sources.getByText('Query time limit exceeded').waitFor();
    mock.state.ingest = 'accepting';
    await page.getByText('The server cannot store events').waitFor({ state: 'detached' });
  });

  test('a server that goes away in the middle leaves the figures on screen, and is found again', async () => {
    await page.goto(mock.url);
    await figures(page);
    await rows(page, 'Pages');
    mock.state.ready = false;
    await page.keyboard.press('u');
    await page.getByText('The server does not answer.').waitFor();
    assert.ok((await rows(page, 'Pages')).length > 0);
    mock.state.ready = true;
    await page.getByText('The server does not answer.').waitFor({ state: 'detached' });
  });

  test('one report that fails says so in its place and can be tried again', async () => {
    mock.state.failing.add('breakdown/sources');
    await page.goto(mock.url);
    const sources = page.getByRole('region', { name: 'Sources' });
    await sources.getByText('Internal server error').waitFor();
    assert.equal(await sources.getByText('No visits').count(), 0);
    assert.ok((await rows(page, 'Pages')).length > 0);
    mock.state.failing.clear();
    await sources.getByRole('button', { name: 'Try again' }).click();
    assert.ok((await rows(page, 'Sources')).length > 0);
  });

  test('a report that takes too long says so in its place, and the server is not said to be gone', async () => {
    // The browser's own limit, in a time that a test can wait for.
    await page.addInitScript(() => {
      const real = AbortSignal.timeout.bind(AbortSignal);
      AbortSignal.timeout = (ms) => real(ms === 45_000 ? 1500 : ms);
    });
    await page.route('**/api/stats/breakdown/sources?*', () => {});
    await page.goto(mock.url);
    const sources = page.getByRole('region', { name: 'Sources' });
    await sources.getByText('The answer took longer than 45 seconds.').waitFor();
    assert.equal(await page.getByText('The server does not answer.').count(), 0);
    assert.ok((await rows(page, 'Pages')).length > 0);
    await page.unroute('**/api/stats/breakdown/sources?*');
    await sources.getByRole('button', { name: 'Try again' }).click();
    assert.ok((await rows(page, 'Sources')).length > 0);
  });

  test('an install without sites asks for a domain, and shows the figures when the first event is there', async () => {
    mock.state.sites = [];
    await page.goto(mock.url);
    await page.getByLabel('Domain').fill('https://Mallard.Example/pricing');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Waiting for the first event from mallard.example').waitFor();
    assert.match(await page.locator('.snippet code').innerText(), /data-domain="mallard\.example"/);
    mock.state.sites = SITES;
    await figures(page);
  });

  test('who waits long for the first event is told what may keep it away', async () => {
    mock.state.sites = [];
    await page.clock.install();
    await page.goto(`${mock.url}/?site=mallard.example`);
    await page.getByText('Waiting for the first event').waitFor();
    await page.clock.runFor(20_000);
    assert.equal(await page.getByText('MALLARD_SITE_IDS').count(), 0);
    await page.clock.runFor(12_000);
    await page.getByRole('status').getByText('MALLARD_SITE_IDS').waitFor();
    await page.getByText('localStorage.mallard_ignore').waitFor();
  });

  test('the snippet can be copied', async () => {
    mock.state.sites = [];
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.goto(`${mock.url}/?site=mallard.example`);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await page.locator('.snippet code').innerText());
  });
});
