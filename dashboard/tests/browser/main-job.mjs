// The main job with the real server: what a browser reports is on the dashboard, once, whatever happens in between.
import assert from 'node:assert/strict';
import { after, before, beforeEach, afterEach, describe, test } from 'node:test';
import { launch, noBrowser, openPage } from '../support/browser.mjs';
import { accepted, addSite, figures, logIn, rows, setUp } from '../support/dashboard.mjs';
import { Install, noServer } from '../support/server.mjs';
import { startBadRoad, startSite } from '../support/site.mjs';

const DOMAIN = 'shop.example';
const today = () => new Date().toISOString().slice(0, 10);

describe('the main job', { skip: noBrowser ?? noServer, timeout: 600_000 }, () => {
  let browser;
  let install;
  /** What a test has opened and `afterEach` closes. */
  let opened = [];

  const keep = async (opening) => {
    const thing = await opening;
    opened.push(thing);
    return thing;
  };
  const open = () => keep(openPage(browser));
  const siteWith = (options) => keep(startSite({ domain: DOMAIN, server: install.url, ...options }));
  const badRoad = (options) => keep(startBadRoad({ server: install.url, ...options }));

  before(async () => {
    browser = await launch();
  });

  after(() => browser?.close());

  const begin = async () => {
    install = await Install.create();
  };

  const end = async () => {
    await Promise.all(opened.map((thing) => thing.close()));
    opened = [];
    await install?.remove();
  };

  beforeEach(begin);
  afterEach(end);

  /** Midnight (UTC) gives a visitor a second id. A story that it fell into and spoilt is told again, from the start. */
  const withinADay = (story) => async () => {
    const day = today();
    try {
      await story();
    } catch (error) {
      if (today() === day) throw error;
      await end();
      await begin();
      await story();
    }
  };

  const threeViews = async () => {
    const owner = await open();
    await setUp(owner.page, install.url);
    await owner.page.getByRole('heading', { name: 'Add your first site' }).waitFor();

    const site = await siteWith({});
    const visitor = await open();
    await accepted(visitor.page, () => visitor.page.goto(site.url));
    await accepted(visitor.page, () => visitor.page.getByRole('link').click());
    await accepted(visitor.page, () => visitor.page.evaluate(() => history.pushState(null, '', '/third')));

    await install.stop('SIGKILL');
    await install.start();

    const other = await open();
    await logIn(other.page, install.url);
    const shown = await figures(other.page);
    assert.equal(shown['Unique visitors'], '1');
    assert.equal(shown['Pageviews'], '3');
    assert.equal(shown['Visits'], '1');
    assert.deepEqual((await rows(other.page, 'Pages')).sort(), [
      ['/', '1'],
      ['/second', '1'],
      ['/third', '1'],
    ]);
    assert.deepEqual(await rows(other.page, 'Sources'), [['Direct or none', '1']]);
    assert.deepEqual(await rows(other.page, 'Browsers'), [['Chrome', '1']]);

    // The session of the one who was there before the crash is still good.
    await owner.page.getByRole('button', { name: 'Refresh' }).click();
    await owner.page.getByRole('button', { name: 'Pageviews 3' }).waitFor();
    assert.deepEqual([...visitor.complaints, ...other.complaints], []);
  };

  test('three pageviews survive a SIGKILL and are exactly what the dashboard shows', withinADay(threeViews));

  test('the screen that waits for the first event turns into data by itself', async () => {
    const { page, complaints } = await open();
    await setUp(page, install.url);
    await addSite(page, DOMAIN);
    await page.getByText(`Waiting for the first event from ${DOMAIN}`).waitFor();

    const snippet = await page.locator('.snippet code').innerText();
    assert.equal(snippet, `<script defer data-domain="${DOMAIN}" src="${install.url}/mallard.js"></script>`);

    const site = await siteWith({});
    const visitor = await open();
    await accepted(visitor.page, () => visitor.page.goto(site.url));

    assert.equal((await figures(page))['Pageviews'], '1');
    assert.deepEqual(complaints, []);
  });

  test('an event that the server refuses with 503 is sent again, and counted once', async () => {
    const road = await badRoad({ refusals: 2 });
    const site = await siteWith({ api: `${road.url}/api/event` });
    const visitor = await open();
    const isStored = (response) => response.url().startsWith(road.url) && response.status() === 202;
    const stored = visitor.page.waitForResponse(isStored);
    await visitor.page.goto(site.url);
    await stored;

    assert.equal(road.bodies.length, 3);
    assert.equal(new Set(road.bodies).size, 1);
    const owner = await open();
    await setUp(owner.page, install.url);
    assert.equal((await figures(owner.page))['Pageviews'], '1');
  });

  test('a page of another origin may read when to come back', async () => {
    const limited = await Install.create({ MALLARD_RATE_LIMIT: '1' });
    try {
      const site = await siteWith({});
      const { page } = await open();
      await page.goto(site.url);
      const waits = await page.evaluate(async (url) => {
        const body = JSON.stringify({ d: 'limited.example', n: 'pageview', u: '/' });
        const answers = await Promise.all(
          Array.from({ length: 8 }, () =>
            fetch(`${url}/api/event`, { method: 'POST', body, credentials: 'omit' }),
          ),
        );
        const refused = answers.filter(({ status }) => status === 429);
        return refused.map(({ headers }) => headers.get('retry-after'));
      }, limited.url);
      assert.ok(waits.length > 0, 'one a second is accepted');
      assert.deepEqual([...new Set(waits)], ['1']);
    } finally {
      await limited.remove();
    }
  });

  test('an event that is not settled when the page goes away is brought by a beacon', async () => {
    const road = await badRoad({ refusals: 1 });
    const site = await siteWith({ api: `${road.url}/api/event` });
    const visitor = await open();
    const refused = visitor.page.waitForResponse((response) => response.status() === 503);
    await visitor.page.goto(site.url);
    await refused;
    // Away at once, before the first retry is due.
    await visitor.page.goto('about:blank');

    const owner = await open();
    await setUp(owner.page, install.url);
    assert.equal((await figures(owner.page))['Pageviews'], '1');
    assert.equal(new Set(road.bodies).size, 1);
  });
});
