// The card of further reports against the mock server: what each shows, by mouse and by keyboard, and that one that
// fails leaves the others alone.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { PHONE, launch, noBrowser, openPage } from '../support/browser.mjs';
import { complete } from '../support/dashboard.mjs';
import { startMock } from '../support/mock-server.mjs';

describe('the card of further reports', { skip: noBrowser, timeout: 600_000 }, () => {
  let browser;
  let mock;
  let opened;
  let page;
  let card;

  const open = async (path = '/', options = {}) => {
    opened = await openPage(browser, options);
    page = opened.page;
    card = page.getByRole('region', { name: 'Explore' });
    await page.goto(mock.url + path);
  };
  const tab = (name) => card.getByRole('tab', { name });
  const asked = (report) => mock.state.asked.filter((one) => one.startsWith(`${report}?`)).at(-1);

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
  });

  test('shows events with the revenue of each currency, and files of the range', async () => {
    await open('/?period=7d');
    await complete(page);
    const purchase = card.getByRole('row', { name: /Purchase/ });
    await purchase.waitFor();
    assert.match(await purchase.innerText(), /12,345\.50 EUR \+ 980\.25 USD/);
    const file = await card.getByRole('link', { name: 'Events as CSV' }).getAttribute('href');
    assert.equal(file, '/api/stats/export?site_id=mallard.example&period=7d&kind=events&format=csv');
  });

  test('shows the values of a property of an event, and narrows the page down to one', async () => {
    await open('/?period=7d');
    await card.getByRole('row', { name: /Purchase/ }).waitFor();
    await card.getByLabel('Of which event').selectOption('Signup');
    await card.getByLabel('Key of the property').fill('plan');
    await card.getByRole('button', { name: 'Show values' }).click();
    await card.getByRole('row', { name: /^pro/ }).waitFor();
    const question = new URLSearchParams(asked('breakdown/props').split('?')[1]);
    assert.equal(question.get('key'), 'plan');
    assert.equal(question.get('filters'), '[["is","event:name",["Signup"]]]');
    await page.reload();
    await card.getByRole('button', { name: 'pro', exact: true }).click();
    await page.getByRole('list', { name: 'Filters' }).getByText('Property plan is pro').waitFor();
    await card.getByRole('button', { name: 'Purchase', exact: true }).click();
    await page.getByRole('list', { name: 'Filters' }).getByText('Visit has event Purchase').waitFor();
    assert.deepEqual(new URL(page.url()).searchParams.getAll('filter'), [
      'props:plan:pro',
      'has_done:event:Purchase',
    ]);
  });

  test('goes from report to report with the arrow keys', async () => {
    await open();
    await tab('Events').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await card.getByRole('button', { name: 'Add step' }).waitFor();
    for (let i = 0; i < 3; i += 1) await page.keyboard.press('ArrowLeft');
    assert.equal(await tab('Realtime').getAttribute('aria-selected'), 'true');
    await card.getByText('visitors, 61 pageviews and 4 events in the last five minutes').waitFor();
    assert.equal(await card.locator('.minutes li').count(), 30);
  });

  test('puts a funnel together and keeps it in the address', async () => {
    await open();
    await tab('Funnel').click();
    await card.getByLabel('Step 2', { exact: true }).fill('/pricing');
    await card.getByRole('button', { name: 'Add step' }).click();
    await card.getByLabel('Step 3: what').selectOption('Event');
    await card.getByLabel('Step 3', { exact: true }).fill('Signup');
    await card.getByRole('button', { name: 'Show funnel' }).click();
    await card.getByText('3. Signup').waitFor();
    // Like the steps, the time within which they are taken holds when the funnel is asked for.
    await card.getByLabel('Within').selectOption('2 hours');
    assert.equal(new URL(page.url()).searchParams.has('window'), false);
    assert.match(asked('funnel'), /steps=page%3A%2F%2Cpage%3A%2Fpricing%2Cevent%3ASignup&window=1\+day/);
    await card.getByRole('button', { name: 'Show funnel' }).click();
    await page.waitForURL(/window=2\+hours/);
    await page.reload();
    await card.getByText('2. /pricing').waitFor();
    assert.equal(await card.getByLabel('Within').inputValue(), '2 hours');
    assert.equal(await card.getByLabel('Step 3', { exact: true }).inputValue(), 'Signup');
  });

  test('says that nobody can be seen coming back, and shows a grid when users are identified', async () => {
    await open('/?explore=retention');
    await card.getByText(/nobody can be seen coming back/).waitFor();
    assert.equal(await card.getByRole('columnheader').count(), 2);
    mock.state.identity = 'user';
    await page.reload();
    await card.getByRole('columnheader', { name: '+7' }).waitFor();
    assert.equal(await card.locator('.cohort').count(), 15);
  });

  test('follows visitors from a page', async () => {
    await open('/?explore=flow');
    await card.getByLabel('Page').fill('/pricing');
    await card.getByLabel('Page').press('Enter');
    await card.getByText('/docs/getting-started', { exact: true }).waitFor();
    assert.match(asked('flow'), /page=%2Fpricing/);
    await card.getByText('/docs/getting-started → /docs/api/events').waitFor();
    await card.getByLabel('Paths').selectOption('to /pricing');
    await card.getByText('Other paths').waitFor();
    assert.match(asked('journeys'), /from=page%3A%2Fpricing&direction=before/);
  });

  test('adds a goal and removes it', async () => {
    await open('/?explore=goals');
    await card.getByRole('row', { name: /Signup/ }).waitFor();
    await card.getByLabel('Goal', { exact: true }).fill('pricing');
    await card.getByRole('button', { name: 'Add goal' }).click();
    await card.getByText('A page begins with a slash').waitFor();
    await card.getByLabel('Goal', { exact: true }).fill('/blog/*');
    await card.getByRole('button', { name: 'Add goal' }).click();
    await card.getByRole('row', { name: /\/blog/ }).waitFor();
    await card.getByRole('button', { name: 'Remove goal Signup' }).click();
    assert.equal(mock.state.goals.length, 2);
    await card.getByRole('button', { name: 'Remove goal Signup for good' }).click();
    await card.getByRole('row', { name: /Signup/ }).waitFor({ state: 'detached' });
    assert.deepEqual(
      mock.state.goals.map((goal) => goal.name),
      ['/blog/*'],
    );
  });

  test('says why a goal could not be removed', async () => {
    await open('/?explore=goals');
    await page.route('**/api/sites/*/goals/1', (route) =>
      route.fulfill({ status: 500, json: { error: 'Internal server error' } }),
    );
    await card.getByRole('button', { name: 'Remove goal Signup' }).click();
    await card.getByRole('button', { name: 'Remove goal Signup for good' }).click();
    await card.getByRole('alert').getByText('Internal server error').waitFor();
    await card.getByRole('row', { name: /Signup/ }).waitFor();
  });

  test('gives the range as a file, and says why it does not', async () => {
    await open('/?period=7d');
    const link = card.getByRole('link', { name: 'Days as CSV' });
    const downloaded = page.waitForEvent('download');
    await link.click();
    const file = await downloaded;
    assert.equal(file.suggestedFilename(), 'mallard.example export.csv');
    assert.match(await readFile(await file.path(), 'utf8'), /^date,visitors/);

    mock.state.failing.add('export');
    await link.click();
    await card.getByRole('alert').getByText('Internal server error').waitFor();
    mock.state.failing.clear();
    mock.state.authenticated = false;
    await link.click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

  test('cuts nothing on a phone: the open tab is seen, and lines are cards', async () => {
    await open('/?explore=goals', { viewport: PHONE });
    await card.getByRole('row', { name: /Signup/ }).waitFor();
    await card.getByRole('button', { name: 'Remove goal Signup' }).scrollIntoViewIfNeeded();
    const inside = async (locator) => {
      const { x, width } = await locator.boundingBox();
      return x >= 0 && x + width <= PHONE.width;
    };
    assert.ok(await inside(card.getByRole('button', { name: 'Remove goal Signup' })));
    await tab('Realtime').press('Enter');
    await card.getByText('Visitors per minute').waitFor();
    await page.reload();
    await card.getByText('Visitors per minute').waitFor();
    assert.ok(await inside(tab('Realtime')));
  });

  test('shows the error of one report and leaves the others alone', async () => {
    mock.state.failing.add('retention');
    await open('/?explore=retention');
    await complete(page);
    await card.getByRole('alert').waitFor();
    mock.state.failing.clear();
    await card.getByRole('button', { name: 'Try again' }).click();
    await card.getByRole('columnheader', { name: 'Visitors' }).waitFor();
  });

  test('says so when there is nothing', async () => {
    mock.state.empty = true;
    await open();
    await card.getByText('No custom events in this period.').waitFor();
    await tab('Flow').click();
    await card.getByText('Nobody went on from / to another page in this period.').waitFor();
  });
});
