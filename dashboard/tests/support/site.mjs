// The web sites that the tracker is put on, and a road to the server that can be made bad.
import { createServer } from 'node:http';

async function listen(handler) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://localhost:${server.address().port}`;
  return { url, close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) };
}

/**
 * A site of two pages, `/` and `/second`, both with the tracker of `server`.
 *
 * Its attributes are those of the snippet; `api` sends events another way.
 */
export function startSite({ domain, server, api }) {
  const attributes = `data-domain="${domain}"${api ? ` data-api="${api}"` : ''}`;
  const page = (title, link) => `<!doctype html>
    <html><head><title>${title}</title>
    <link rel="icon" href="data:,">
    <script defer ${attributes} src="${server}/mallard.js"></script>
    </head><body><h1>${title}</h1><a href="${link}">${link}</a></body></html>`;
  return listen((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(request.url === '/second' ? page('Second', '/') : page('First', '/second'));
  });
}

/** Passes requests on to `server`, after it has answered the first `refusals` of them with 503 in the server's place. */
export async function startBadRoad({ server, refusals }) {
  const bodies = [];
  const road = await listen(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    bodies.push(body.toString());
    if (bodies.length <= refusals)
      return response.writeHead(503, { 'access-control-allow-origin': '*' }).end();
    const { 'user-agent': agent, 'content-type': type } = request.headers;
    const answer = await fetch(server + request.url, {
      method: request.method,
      headers: { 'user-agent': agent, 'content-type': type },
      body,
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    return response.end(Buffer.from(await answer.arrayBuffer()));
  });
  return { ...road, bodies };
}
