// What the stand-in for the server keeps for people: settings, goals and segments of a site, and keys.
import * as data from './mock-data.mjs';

export function manage(state, method, pathname, body, response) {
  const [, , kind, id, list, entry] = pathname.split('/').map(decodeURIComponent);
  if (kind === 'keys') return changeKeys(state, method, id, body, response);
  if (!list) return changeSite(state, id, body, response);
  if (method === 'GET') return json(response, 200, state[list]);
  if (method === 'DELETE') {
    state[list] = state[list].filter((one) => one.id !== Number(entry));
    return json(response, 200, { status: 'removed' });
  }
  const made = { id: (state[list].at(-1)?.id ?? 0) + 1, ...body, name: body.name ?? body.page ?? body.event };
  state[list] = [...state[list], made];
  return json(response, 201, made);
}

function changeSite(state, id, body, response) {
  state.sites = state.sites.map((site) => (site.site_id === id ? { ...site, ...body } : site));
  return json(
    response,
    200,
    state.sites.find((site) => site.site_id === id),
  );
}

function changeKeys(state, method, hash, body, response) {
  if (method === 'GET') return json(response, 200, state.keys);
  if (method === 'DELETE') {
    state.keys = state.keys.map((key) => (key.key_hash === hash ? { ...key, revoked: true } : key));
    return json(response, 200, { status: 'revoked' });
  }
  const key = { ...data.key(body.name, body.scope, body.sites ?? null), expires_at: body.expires_at ?? null };
  state.keys = [...state.keys, key];
  return json(response, 201, { ...key, key: `mm_${'5f'.repeat(32)}` });
}

export function json(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

export const refuse = (response, status, error) => json(response, status, { error });
