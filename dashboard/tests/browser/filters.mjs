// Filters that are put together in their dialog, and segments, against the mock server: what a person does, what the address
// keeps, and what the server is asked.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launch, noBrowser, openPage } from '../support/browser.mjs';
import { figures } from '../support/dashboard.mjs';
import { startMock } from '../support/mock-server.mjs';

describe('filters', { skip: noBrowser, timeout: 600_000 }, () => {
  let browser;
  let mock;
  let opened;
  let page;
  let list;
  let dialog;

  const open = async (path) => {
    opened = await openPage(browser);
    page = opened.page;
    list = page.getByRole('list', { name: 'Filters' });
    dialog = page.getByRole('dialog');
    await page.goto(mock.url + path);
    await figures(page);
  };
  const addFilter = () => page.getByRole('button', { name: 'Filter', exact: true }).click();
  /** The filters in the address. */
  const kept = () => page.evaluate(() => new URLSearchParams(location.search).getAll('filter'));
  /** The filters of the last question about the figures of the range. */
  const asked = () => {
    const last = mock.state.asked
      .filter((one) => one.startsWith('main?') && !one.includes('realtime'))
      .at(-1);
    return JSON.parse(new URLSearchParams(last.slice('main?'.length)).get('filters') ?? '[]');
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
    assert.deepEqual(opened.complaints, []);
  });

  test('a page that is not one of two is left out, by the keyboard alone', async () => {
    await open('/?period=7d');
    await page.getByRole('button', { name: 'Filter', exact: true }).press('Enter');
    await dialog.getByLabel('Show only where').selectOption('Page');
    await dialog.getByLabel('Comparison').selectOption('is not');
    await dialog.getByRole('button', { name: 'Add filter' }).press('Enter');
    await dialog.getByRole('alert').getByText('Which value?').waitFor();
    await dialog.getByLabel('Value', { exact: true }).fill('/pricing');
    await dialog.getByRole('button', { name: 'Or another value' }).press('Enter');
    await page.keyboard.type('/about');
    await page.keyboard.press('Enter');
    await list.getByText('Page is not /pricing or /about').waitFor();
    await figures(page);
    assert.deepEqual(await kept(), ['is_not:pages:/pricing|/about']);
    assert.deepEqual(asked(), [['is_not', 'pages', ['/pricing', '/about']]]);
    await page.reload();
    await list.getByText('Page is not /pricing or /about').waitFor();
  });

  test('values that there are are suggested, with their names', async () => {
    await open('/?period=7d');
    await addFilter();
    await dialog.getByLabel('Show only where').selectOption('Country');
    const suggested = dialog.locator('datalist option[value="DE"]');
    await suggested.waitFor({ state: 'attached' });
    assert.equal(await suggested.getAttribute('label'), 'Germany');
    await dialog.getByLabel('Show only where').selectOption('Goal');
    await dialog.locator('datalist option[value="Signup"]').waitFor({ state: 'attached' });
  });

  test('a goal asks for visits, and a property for its key', async () => {
    await open('/?period=7d');
    await addFilter();
    await dialog.getByLabel('Show only where').selectOption('Goal');
    assert.equal(await dialog.getByLabel('Comparison').inputValue(), 'has_done');
    await dialog.getByLabel('Value', { exact: true }).fill('Signup');
    await dialog.getByRole('button', { name: 'Add filter' }).click();
    await list.getByText('Visit has goal Signup').waitFor();

    await addFilter();
    await dialog.getByLabel('Show only where').selectOption('Property');
    await dialog.getByLabel('Comparison').selectOption('contains');
    await dialog.getByLabel('Value', { exact: true }).fill('pr');
    await dialog.getByRole('button', { name: 'Add filter' }).click();
    await dialog.getByRole('alert').getByText('Which property?').waitFor();
    await dialog.getByLabel('Key of the property').fill('plan');
    await dialog.locator('datalist option[value="pro"]').waitFor({ state: 'attached' });
    await dialog.getByRole('button', { name: 'Add filter' }).click();
    await list.getByText('Property plan contains pr').waitFor();
    await figures(page);
    assert.deepEqual(asked(), [
      ['has_done', ['is', 'event:goal', ['Signup']]],
      ['contains', 'props:plan', ['pr']],
    ]);
  });

  test('a filter is changed where it stands', async () => {
    await open('/?period=7d&filter=pages:/pricing&filter=countries:DE');
    await list.getByRole('button', { name: 'Page is /pricing', exact: true }).click();
    assert.equal(await dialog.getByLabel('Value', { exact: true }).inputValue(), '/pricing');
    await dialog.getByLabel('Comparison').selectOption('contains');
    await dialog.getByLabel('Value', { exact: true }).fill('blog');
    await dialog.getByRole('button', { name: 'Change filter' }).click();
    await list.getByText('Page contains blog').waitFor();
    assert.deepEqual(await kept(), ['contains:pages:blog', 'countries:DE']);
    await page.goBack();
    await list.getByText('Page is /pricing').waitFor();
  });

  test('filters are saved as a segment, applied, and deleted', async () => {
    await open('/?period=7d&filter=countries:DE');
    await page.getByRole('button', { name: 'Segments' }).click();
    await dialog.getByLabel('Save the filters of this page as').fill('Germans');
    await dialog.getByRole('button', { name: 'Save segment' }).click();
    await dialog.getByText('Germans').waitFor();
    assert.deepEqual(mock.state.segments, [
      { id: 1, name: 'Germans', filters: [['is', 'countries', ['DE']]] },
    ]);
    await page.keyboard.press('Escape');

    await list.getByRole('button', { name: 'Remove the filter: Country is Germany' }).click();
    await page.getByRole('button', { name: 'Segments' }).click();
    await dialog.getByRole('button', { name: 'Apply segment Germans' }).click();
    await list.getByText('Segment is Germans').waitFor();
    await figures(page);
    assert.deepEqual(asked(), [['is', 'segment', [1]]]);
    await page.reload();
    await list.getByText('Segment is Germans').waitFor();

    await page.getByRole('button', { name: 'Segments' }).click();
    await dialog.getByText('A segment cannot be part of another one').waitFor();
    await dialog.getByRole('button', { name: 'Delete segment Germans' }).click();
    await dialog.getByRole('button', { name: 'Delete segment Germans for good' }).click();
    await list.waitFor({ state: 'detached' });
    assert.deepEqual(mock.state.segments, []);
    assert.deepEqual(await kept(), []);
  });
});
