// The name of a site, from whatever a person types or pastes.

const SITE_ID = /^[A-Za-z0-9._:-]{1,256}$/;

export const isSiteId = (text: string) => SITE_ID.test(text);

/** `https://Example.com/pricing` means the site `example.com`; null if no site can be called that. */
export function siteIdOf(typed: string): string | null {
  const host = typed
    .trim()
    .toLowerCase()
    .replace(/^[a-z]+:\/\//, '')
    .replace(/[/?#].*$/, '');
  return isSiteId(host) ? host : null;
}

/** The line that a site puts into its pages. */
export const snippetFor = (site: string, server: string) =>
  `<script defer data-domain="${site}" src="${server}/mallard.js"></script>`;
