// Chromium, driven by playwright-core. Every page is watched: what its console says against it fails the test.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why browser tests cannot run here; undefined if they can. */
export const noBrowser = existsSync(CHROMIUM)
  ? undefined
  : `no Chromium at ${CHROMIUM}: apt-get install chromium, or set CHROMIUM`;

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// The real one says "HeadlessChrome", which the server rightly counts as a bot. It is given to the whole browser: what
// playwright sets for a page does not reach beacons.
const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

/** Nothing here takes a second; a machine that also compiles may take its time. */
const TIMEOUT_MS = 90_000;

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** A browser with a profile of its own in a temporary folder, which playwright-core makes and removes. */
export const launch = () =>
  chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [...FLAGS, `--user-agent=${USER_AGENT}`],
  });

/** A page, and everything that its console holds against it: errors, warnings about the CSP, uncaught exceptions. */
export async function openPage(browser, { viewport = DESKTOP, scheme = 'light', ...options } = {}) {
  const context = await browser.newContext({
    viewport,
    colorScheme: scheme,
    locale: 'en-GB',
    ...options,
  });
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    const isComplaint = message.type() === 'error' || /content security policy/i.test(message.text());
    if (isComplaint) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { page, complaints, close: () => context.close() };
}
