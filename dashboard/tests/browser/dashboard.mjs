// The dashboard against the mock server: what it shows, where it leads, and that its console stays silent.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { DESKTOP, PHONE, launch, noBrowser, openPage } from '../support/browser.mjs';
import { changes, complete, figures, rows } from '../support/dashboard.mjs';
import { site } from '../support/mock-data.mjs';
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
  /** What the address holds; asked of the page itself, since playwright hears of a change a little later. */
  const query = async () =>
    Object.fromEntries(new URLSearchParams(await page.evaluate(() => location.search)));
  /**
   * Settles when the page asks for this report with exactly this question; to be called before what leads to it.
   *
   * Not "the last one asked": who is online is asked for as a report too, and requests overtake each other.
   */
  const asking = (report, question) =>
    page.waitForRequest((request) => {
      const { pathname, searchParams } = new URL(request.url());
      return (
        pathname === `/api/stats/${report}` && isDeepStrictEqual(Object.fromEntries(searchParams), question)
      );
    });

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
    await complete(page);
    assert.equal((await rows(page, 'Locations'))[0][0], 'United States');
    assert.match(await page.getByText(/sum of each day's visitors/).innerText(), /00:00 UTC/);
  });

  test('keeps all that it shows in the address, and goes back', async () => {
    await open();
    await page.getByRole('button', { name: /Period:/ }).click();
    await page.getByRole('button', { name: 'Last 7 days' }).click();
    await page.getByRole('button', { name: /Pageviews/ }).click();
    await page.getByRole('button', { name: /Site:/ }).click();
    await page.getByRole('button', { name: 'docs.mallard.example' }).click();
    assert.deepEqual(await query(), { site: 'docs.mallard.example', period: '7d', metric: 'pageviews' });
    await figures(page);

    const again = asking('main', { site_id: 'docs.mallard.example', period: '7d' });
    await page.reload();
    assert.match(await page.getByRole('button', { name: /Period:/ }).innerText(), /Last 7 days/);
    await again;

    await page.goBack();
    await page.getByRole('button', { name: /Site: mallard\.example/ }).waitFor();
  });

  test('finds a site among many, however it is written', async () => {
    mock.state.sites = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => site(`${name}.example`, null, 5));
    mock.state.sites.push(site('Shop.Example', 'UTC', 10));
    await open();
    await page.getByRole('button', { name: /Site:/ }).click();
    await page.getByLabel('Find a site').fill('SHOP');
    await page.getByRole('button', { name: /^Shop\.Example/ }).click();
    await page.getByRole('button', { name: /Site: Shop\.Example/ }).waitFor();
  });

  test('asks for a range of one’s own with both dates', async () => {
    await open();
    await figures(page);
    await page.keyboard.press('c');
    await page.getByLabel('From', { exact: true }).fill('2026-03-10');
    await page.getByLabel('To', { exact: true }).fill('2026-03-01');
    assert.ok(await page.getByRole('button', { name: 'Show', exact: true }).isDisabled());
    await page.getByLabel('To', { exact: true }).fill('2026-03-12');
    const asked = asking('timeseries', {
      site_id: 'mallard.example',
      start_date: '2026-03-10',
      end_date: '2026-03-12',
    });
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByRole('button', { name: /Period: 10\s*–\s*12 Mar 2026/ }).waitFor();
    await asked;
  });

  test('opens the menu of periods at the one that is shown, and its dates with its days', async () => {
    await open({}, '/?period=custom&from=2026-03-10&to=2026-03-12');
    await page.getByRole('button', { name: /Period:/ }).press('Enter');
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^Custom range/);
    await page.keyboard.press('Enter');
    assert.equal(await page.getByLabel('From', { exact: true }).inputValue(), '2026-03-10');
    await page.keyboard.press('Escape');
    await page.goto(`${mock.url}/?period=day`);
    await figures(page);
    await page.keyboard.press('c');
    const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Berlin' }).format(new Date());
    assert.equal(await page.getByLabel('From', { exact: true }).inputValue(), today);
  });

  test('obeys the keyboard, but not while something is typed', async () => {
    await open();
    await figures(page);
    await page.keyboard.press('w');
    await page.keyboard.press('p');
    assert.deepEqual(await query(), { site: 'mallard.example', period: '7d', metric: 'pageviews' });
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Show all pages' }).click();
    await page.getByLabel('Find in pages').pressSequentially('pricing a w');
    await page.goBack();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('c');
    await page.getByLabel('From', { exact: true }).press('a');
    assert.deepEqual(await query(), { site: 'mallard.example', period: '7d', metric: 'pageviews' });
  });

  test('lists all values of a panel, and closes the list with the way back', async () => {
    await open();
    await page.getByRole('button', { name: 'Show all pages' }).click();
    const dialog = page.getByRole('dialog', { name: 'Pages' });
    await dialog.getByText('/contact').waitFor();
    await dialog.getByLabel('Find in pages').fill('docs');
    assert.equal(await dialog.locator('tbody tr').count(), 4);
    await page.goBack();
    await dialog.waitFor({ state: 'detached' });
  });

  test('shows every breakdown behind a tab, keeps it in the address, and lists all of it', async () => {
    await open({}, '/?period=7d');
    const pages = page.getByRole('region', { name: 'Pages' });
    const asked = asking('breakdown/exit_pages', { site_id: 'mallard.example', period: '7d', limit: '10' });
    await pages.getByRole('tab', { name: 'Exit' }).click();
    await asked;
    await pages.getByRole('tabpanel', { name: 'Exit pages' }).getByText('/pricing').waitFor();
    await pages.getByRole('button', { name: 'Show all exit pages' }).click();
    await page.getByRole('dialog', { name: 'Exit pages' }).getByText('/contact').waitFor();
    await page.goBack();

    const sources = page.getByRole('region', { name: 'Sources' });
    await sources.getByRole('tab', { name: 'Channels' }).click();
    await page.keyboard.press('ArrowRight');
    // Most visits have no campaign; they would hide those that have one.
    assert.deepEqual(
      (await rows(page, 'Sources')).map(([name]) => name),
      ['autumn-update', 'launch'],
    );
    await sources.getByRole('tab', { name: 'Medium' }).click();
    await sources.getByText('email').waitFor();
    assert.equal((await query()).tabs, 'exit_pages,utm_mediums');
    await page.reload();
    await sources.getByText('email').waitFor();
    assert.equal(await sources.getByRole('tab', { name: 'Medium' }).getAttribute('aria-selected'), 'true');
  });

  test('is narrowed down by a click on a value, everywhere', async () => {
    await open({}, '/?period=7d');
    const before = await figures(page);
    const filters = JSON.stringify([['is', 'pages', ['/pricing']]]);
    const narrowed = { site_id: 'mallard.example', period: '7d', filters };
    const asked = [
      asking('main', narrowed),
      asking('timeseries', narrowed),
      asking('breakdown/sources', { ...narrowed, limit: '10' }),
      asking('breakdown/events', { ...narrowed, limit: '100' }),
    ];
    await page.getByRole('region', { name: 'Pages' }).getByRole('button', { name: '/pricing' }).click();
    await Promise.all(asked);
    await page.getByRole('list', { name: 'Filters' }).getByText('Page is /pricing').waitFor();
    await page.getByRole('region', { name: 'Pages' }).getByText('/changelog').waitFor({ state: 'detached' });
    assert.deepEqual(
      (await rows(page, 'Pages')).map(([name]) => name),
      ['/pricing'],
    );
    const now = await figures(page);
    assert.equal(now['Unique visitors'], (await rows(page, 'Pages'))[0][1]);
    assert.notEqual(now['Unique visitors'], before['Unique visitors']);

    const days = await page.getByRole('link', { name: 'Days as CSV' }).getAttribute('href');
    assert.equal(new URL(days, mock.url).searchParams.get('filters'), filters);
    await page.getByRole('link', { name: 'Events as CSV, unfiltered' }).waitFor();
    await page.goBack();
    await page.getByRole('region', { name: 'Pages' }).getByText('/changelog').waitFor();
    assert.deepEqual(await figures(page), before);
  });

  test('combines filters by the keyboard, finds missing values, and drops them one by one or all', async () => {
    await open({}, '/?period=7d');
    const direct = page
      .getByRole('region', { name: 'Sources' })
      .getByRole('button', { name: 'Direct or none' });
    await direct.press('Enter');
    const both = asking('main', {
      site_id: 'mallard.example',
      period: '7d',
      filters: '[["is","sources",["(direct)"]],["is","countries",["(unknown)"]]]',
    });
    await page.getByRole('button', { name: 'Unknown' }).press('Enter');
    await both;
    const list = page.getByRole('list', { name: 'Filters' });
    await page.reload();
    await list.getByText('Country is Unknown').waitFor();
    assert.equal(await direct.getAttribute('aria-pressed'), 'true');

    await list.getByRole('button', { name: 'Remove the filter: Country is Unknown' }).press('Enter');
    await list.getByText('Country is Unknown').waitFor({ state: 'detached' });
    assert.deepEqual(await query(), { site: 'mallard.example', period: '7d', filter: 'sources:(direct)' });
    await page.getByRole('button', { name: 'Show all pages' }).click();
    await page.getByRole('dialog').getByRole('button', { name: '/contact' }).click();
    await list.getByText('Page is /contact').waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await list.getByRole('button', { name: 'Clear all' }).click();
    await list.waitFor({ state: 'detached' });
    assert.deepEqual(await query(), { site: 'mallard.example', period: '7d' });
  });

  test('leaves the filters of one site when it goes to another', async () => {
    await open({}, '/?filter=pages:/pricing');
    const list = page.getByRole('list', { name: 'Filters' });
    await list.getByText('Page is /pricing').waitFor();
    await page.getByRole('button', { name: /Site:/ }).click();
    await page.getByRole('button', { name: 'docs.mallard.example' }).click();
    await list.waitFor({ state: 'detached' });
    assert.deepEqual(await query(), { site: 'docs.mallard.example' });
  });

  test('compares with the days before, and keeps that in the address', async () => {
    await open({}, '/?period=7d');
    const plain = await figures(page);
    const question = { site_id: 'mallard.example', period: '7d' };
    const compared = { ...question, compare: 'previous_period' };
    const asked = [asking('main', compared), asking('timeseries', compared)];
    await page.keyboard.press('x');
    await Promise.all(asked);
    const shown = await changes(page);
    assert.deepEqual(await figures(page), plain);
    assert.match(shown['Unique visitors'], /^[↑↓] \d+(\.\d)?%$/);
    assert.equal(shown['Bounce rate'], '0%');
    assert.equal((await query()).compare, 'previous_period');

    const answer = await (await fetch(`${mock.url}/api/stats/main?${new URLSearchParams(compared)}`)).json();
    const old = new Intl.NumberFormat('en-GB').format(answer.comparison.unique_visitors);
    const title = await page.locator('.change').first().getAttribute('title');
    assert.ok(title.startsWith(`${old} in `), title);
    await page.getByRole('button', { name: 'Show the chart as a table' }).click();
    await page.getByRole('columnheader', { name: 'Visitors before' }).waitFor();

    const year = asking('main', { ...question, compare: 'year_over_year' });
    await page.getByRole('button', { name: /Period:/ }).click();
    await page.getByRole('button', { name: 'Same period last year' }).click();
    await year;
    const weekdays = asking('main', { ...question, compare: 'year_over_year', match_day_of_week: 'true' });
    await page.getByRole('button', { name: /Period:/ }).click();
    await page.getByRole('button', { name: 'Match days of the week' }).click();
    await weekdays;
    await page.getByRole('button', { name: /Period:/ }).click();
    await page.getByRole('button', { name: 'Same period last year' }).click();
    await page.locator('.change').first().waitFor({ state: 'detached' });
    assert.deepEqual(await query(), { site: 'mallard.example', period: '7d' });
  });

  test('compares with days of one’s own', async () => {
    await open({}, '/?period=7d');
    await page.getByRole('button', { name: /Period:/ }).click();
    await page
      .getByRole('group', { name: 'Compare with' })
      .getByRole('button', { name: 'Custom range' })
      .click();
    await page.getByLabel('From', { exact: true }).fill('2026-03-01');
    await page.getByLabel('To', { exact: true }).fill('2026-03-07');
    const asked = asking('timeseries', {
      site_id: 'mallard.example',
      period: '7d',
      compare: 'custom',
      compare_start_date: '2026-03-01',
      compare_end_date: '2026-03-07',
    });
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await asked;
    await page.getByText(/^compared with 1\s*–\s*7 Mar 2026$/).waitFor();
  });

  test('takes the morning of today for no fall, and says that the day before is whole', async () => {
    const morning = new Date(`${new Date().toISOString().slice(0, 10)}T08:30:00Z`);
    mock.state.now = morning.getTime();
    opened = await openPage(browser);
    page = opened.page;
    await page.clock.setFixedTime(morning);
    await page.goto(`${mock.url}/?period=day&compare=previous_period`);
    assert.match((await changes(page)).Pageviews, /^↓ /);
    assert.equal(await page.locator('.change.bad').count(), 0);
    const title = await page.locator('.change').first().getAttribute('title');
    assert.match(title, /the whole day; today is not over yet$/);
    await page.locator('.span-before').getByText('the whole day').waitFor();
  });

  test('calls new what was not there before, and compares no average with none', async () => {
    mock.state.newborn = true;
    await open({}, '/?compare=previous_period');
    assert.deepEqual(await changes(page), { 'Unique visitors': 'new', Pageviews: 'new', Visits: 'new' });
  });

  test('is silent about a comparison where there is none', async () => {
    await open({}, '/?period=realtime&compare=previous_period');
    await figures(page);
    await page.keyboard.press('x');
    await page.getByRole('button', { name: /Period:/ }).click();
    assert.equal(await page.getByRole('group', { name: 'Compare with' }).count(), 0);
    assert.equal((await query()).compare, 'previous_period');
    assert.deepEqual(
      mock.state.asked.filter((one) => one.includes('compare')),
      [],
    );
  });

  test('says how a breakdown gets values where there are none', async () => {
    mock.state.blank = true;
    await open({}, '/?tabs=utm_terms,cities');
    await page.getByText('Links that end in ?utm_term=… are counted here.').waitFor();
    await page.getByText('No cities are known. The server finds them with').waitFor();
  });

  test('shows what the pointer is on', async () => {
    await open({}, '/?period=7d');
    await page.locator('.u-over').hover({ position: { x: 2, y: 50 } });
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

  test('has no line in the table for hours that have not begun', async () => {
    const noon = new Date(`${new Date().toISOString().slice(0, 10)}T12:30:00Z`);
    mock.state.now = noon.getTime();
    opened = await openPage(browser);
    page = opened.page;
    await page.clock.setFixedTime(noon);
    await page.goto(`${mock.url}/?period=day`);
    await page.getByRole('button', { name: 'Show the chart as a table' }).click();
    const table = page.getByRole('region', { name: 'Figures over time' });
    await table.getByRole('row', { name: /12:00/ }).waitFor();
    assert.equal(await table.locator('tbody tr').count(), 13);
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
    await page.locator('.chart canvas').waitFor();
    const again = asking('timeseries', { site_id: 'mallard.example', period: 'realtime' });
    await page.clock.runFor(10_500);
    await again;
  });

  test('asks nothing again by itself while it waits for an answer', async () => {
    opened = await openPage(browser);
    page = opened.page;
    await page.clock.install();
    await page.goto(`${mock.url}/?period=realtime`);
    await page.locator('.chart canvas').waitFor();
    let release;
    mock.state.hold = new Promise((resolve) => (release = resolve));
    const asked = [];
    page.on('request', (request) => request.url().includes('timeseries') && asked.push(request.url()));
    const again = asking('timeseries', { site_id: 'mallard.example', period: 'realtime' });
    await page.clock.runFor(10_500);
    await again;
    await page.clock.runFor(30_000);
    const answered = page.waitForResponse((response) => response.url() === asked[0]);
    release();
    await answered;
    assert.equal(asked.length, 1);
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
    const shown = await figures(page);
    assert.equal(shown['Unique visitors'], '0');
    // Of no visits there is no average.
    assert.equal(shown['Bounce rate'], '–');
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
