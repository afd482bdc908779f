// The dashboard against the mock server: what it shows, where it leads, and that its console stays silent.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { DESKTOP, PHONE, launch, noBrowser, openPage } from '../support/browser.mjs';
import { figures, rows } from '../support/dashboard.mjs';
import { startMock } from '../support/mock-server.mjs';

describe('the dashboard', { skip: noBrowser, timeout: 600_000 }, () => {
  let browser;
  let mock;
  let opened;
  let page;

  const open = async (options, path = '/') => {
    opened = await openPage(browser, options);
    page = opened.page;
    await page.goto(mock.url + path);
  };
  const query = () => Object.fromEntries(new URL(page.url()).searchParams);
  const lastAsked = (report) => mock.state.asked.findLast((asked) => asked.startsWith(`${report}?`)) ?? '';

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
    assert.deepEqual(opened.complaints, []);
  });

  test('shows figures, a chart and six panels', async () => {
    await open();
    const names = [
      'Unique visitors',
      'Pageviews',
      'Visits',
      'Views per visit',
      'Bounce rate',
      'Visit duration',
    ];
    assert.deepEqual(Object.keys(await figures(page)), names);
    for (const panel of ['Pages', 'Sources', 'Browsers', 'Operating systems', 'Devices', 'Countries']) {
      assert.ok((await rows(page, panel)).length > 0, panel);
    }
    await page.locator('.chart canvas').waitFor();
    assert.equal((await rows(page, 'Countries'))[0][0], 'United States');
    assert.match(await page.getByText(/sum of each day's visitors/).innerText(), /00:00 UTC/);
  });

  test('keeps all that it shows in the address, and goes back', async () => {
    await open();
    await page.getByRole('button', { name: /Period:/ }).click();
    await page.getByRole('button', { name: 'Last 7 days' }).click();
    await page.getByRole('button', { name: /Pageviews/ }).click();
    await page.getByRole('button', { name: /Site:/ }).click();
    await page.getByRole('button', { name: 'docs.mallard.example' }).click();
    assert.deepEqual(query(), { site: 'docs.mallard.example', period: '7d', metric: 'pageviews' });

    await page.reload();
    assert.match(await page.getByRole('button', { name: /Period:/ }).innerText(), /Last 7 days/);
    assert.match(lastAsked('main'), /site_id=docs\.mallard\.example&period=7d/);

    await page.goBack();
    await page.getByRole('button', { name: /Site: mallard\.example/ }).waitFor();
  });

  test('asks for a range of one’s own with both dates', async () => {
    await open();
    await figures(page);
    await page.keyboard.press('c');
    await page.getByLabel('From', { exact: true }).fill('2026-03-10');
    await page.getByLabel('To', { exact: true }).fill('2026-03-01');
    assert.ok(await page.getByRole('button', { name: 'Show', exact: true }).isDisabled());
    await page.getByLabel('To', { exact: true }).fill('2026-03-12');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page
      .getByText(/10\s*–\s*12 Mar 2026/)
      .first()
      .waitFor();
    assert.match(lastAsked('timeseries'), /start_date=2026-03-10&end_date=2026-03-12/);
  });

  test('obeys the keyboard, but not while something is typed', async () => {
    await open();
    await figures(page);
    await page.keyboard.press('w');
    await page.keyboard.press('p');
    assert.deepEqual(query(), { site: 'mallard.example', period: '7d', metric: 'pageviews' });
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('region', { name: 'Pages' }).getByRole('button').click();
    await page.getByLabel('Find in pages').fill('pricing a w');
    assert.equal(query().period, '7d');
  });

  test('lists all values of a panel, and closes the list with the way back', async () => {
    await open();
    await page.getByRole('region', { name: 'Pages' }).getByRole('button').click();
    const dialog = page.getByRole('dialog', { name: 'Pages' });
    await dialog.getByText('/contact').waitFor();
    await dialog.getByLabel('Find in pages').fill('docs');
    assert.equal(await dialog.locator('tbody tr').count(), 4);
    await page.goBack();
    await dialog.waitFor({ state: 'detached' });
  });

  test('shows what the pointer is on', async () => {
    await open({}, '/?period=7d');
    const plot = await page.locator('.u-over').boundingBox();
    await page.mouse.move(plot.x + 2, plot.y + 50);
    const [first] = JSON.parse(await (await fetch(`${mock.url}/api/stats/timeseries?period=7d`)).text());
    const tooltip = page.locator('.tooltip');
    await tooltip.waitFor();
    assert.ok((await tooltip.innerText()).includes(new Intl.NumberFormat('en-GB').format(first.visitors)));
  });

  test('has the chart as a table too', async () => {
    await open({}, '/?period=7d');
    await page.getByRole('button', { name: 'Show the chart as a table' }).click();
    assert.equal(
      await page.getByRole('region', { name: 'Figures over time' }).locator('tbody tr').count(),
      7,
    );
  });

  test('remembers a choice of colours, and follows the system without one', async () => {
    await open({ scheme: 'dark' });
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await background();
    await page.getByRole('button', { name: 'Light colours' }).click();
    assert.notEqual(await background(), dark);
    await page.reload();
    assert.notEqual(await background(), dark);
    await page.getByRole('button', { name: 'Dark colours' }).click();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), undefined);
  });

  test('asks again by itself in realtime', async () => {
    opened = await openPage(browser);
    page = opened.page;
    await page.clock.install();
    await page.goto(`${mock.url}/?period=realtime`);
    await figures(page);
    const before = mock.state.asked.length;
    const again = page.waitForResponse((response) => response.url().includes('/api/stats/timeseries'));
    await page.clock.runFor(10_500);
    await again;
    assert.ok(mock.state.asked.length > before);
  });

  test('names the days that an answer had to leave out', async () => {
    mock.state.incomplete = 'mallard.example 2026-11-03..2026-11-04';
    await open();
    await page.getByRole('status').getByText('2026-11-03..2026-11-04').waitFor();
  });

  test('says that a range is empty', async () => {
    mock.state.empty = true;
    await open();
    await page.getByRole('region', { name: 'Sources' }).getByText('No visits in this period.').waitFor();
    assert.equal((await figures(page))['Unique visitors'], '0');
  });

  for (const [name, viewport] of [
    ['a desktop', DESKTOP],
    ['a phone', PHONE],
    ['a very narrow phone', { width: 360, height: 740 }],
  ]) {
    test(`fits the width of ${name}`, async () => {
      await open({ viewport });
      await rows(page, 'Pages');
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok((await overflow()) <= 0);
      await page.getByRole('button', { name: /Site:/ }).click();
      assert.ok((await overflow()) <= 0);
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: /Period:/ }).click();
      assert.ok((await overflow()) <= 0);
    });
  }
});
