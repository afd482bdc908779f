// What a person does on the dashboard and reads from it, in one place for all tests.

export const PASSWORD = 'correct horse battery staple';

export const PANELS = ['Pages', 'Sources', 'Locations', 'Devices', 'Browsers', 'Systems'];

export async function setUp(page, url) {
  await page.goto(url);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByLabel('Password again').fill(PASSWORD);
  await page.getByRole('button', { name: 'Set password' }).click();
}

export async function logIn(page, url) {
  await page.goto(url);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
}

export async function addSite(page, domain) {
  await page.getByLabel('Domain').fill(domain);
  await page.getByRole('button', { name: 'Continue' }).click();
}

/** The values of the top figures, once they are there: `{ 'Unique visitors': '1', … }`. */
export async function figures(page) {
  await page.locator('.figures[aria-busy="false"]').waitFor();
  const all = await page.locator('.figure').all();
  const pairs = all.map(async (one) => [
    await one.locator('.figure-name').innerText(),
    await one.locator('.figure-value').innerText(),
  ]);
  return Object.fromEntries(await Promise.all(pairs));
}

/** What the top figures say of their change: `{ 'Unique visitors': '↑ 12%', … }`. */
export async function changes(page) {
  await page.locator('.figures[aria-busy="false"] .change').first().waitFor();
  const all = await page.locator('.figure:has(.change)').all();
  const pairs = all.map(async (one) => [
    await one.locator('.figure-name').innerText(),
    await one.locator('.change [aria-hidden]').innerText(),
  ]);
  return Object.fromEntries(await Promise.all(pairs));
}

/** The rows of a panel, once they are there: `[['/', '1'], …]`. */
export async function rows(page, panel) {
  const region = page.getByRole('region', { name: panel });
  await region.locator('.bar-row').first().waitFor();
  const all = await region.locator('.bar-row').all();
  const texts = async (row) => [
    await row.locator('.value-text').innerText(),
    await row.locator('.bar-count').innerText(),
  ];
  return Promise.all(all.map(texts));
}

/** Settles when every report on the page is there. */
export async function complete(page) {
  await figures(page);
  await page.locator('.chart canvas').waitFor();
  for (const panel of PANELS) await rows(page, panel);
}

/** Runs `act` and settles when the server has accepted the event that it causes. */
export async function accepted(page, act) {
  const answer = page.waitForResponse((response) => response.request().method() === 'POST');
  await act();
  const response = await answer;
  if (response.status() !== 202) throw new Error(`The event was answered with ${response.status()}`);
  return response;
}
