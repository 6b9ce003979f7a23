// The one function that a program lends the engine, in as few lines as will do: text in, text out. What each method
// is to do is in adapters/engine/README.md.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

/** Told instead of a result. Anything else that goes wrong in a method is told as `failed`. */
class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export function createHostFunction({ openBrowser }) {
  const store = new Map(); // In a program: the system's keychain.
  const cancels = new Map();
  const visits = new Map();

  const methods = {
    'clock.monotonic': () => performance.now(),
    random: ({ length }) => randomBytes(length).toString('base64'),

    wait: ({ id, ms }) =>
      new Promise((over) => {
        const timer = setTimeout(over, ms);
        cancels.set(id, () => clearTimeout(timer));
      }),
    cancel: ({ id }) => {
      cancels.get(id)?.();
      cancels.delete(id);
    },

    'store.get': ({ key }) => store.get(key) ?? null,
    'store.set': ({ key, value }) => void store.set(key, value),
    'store.remove': ({ key }) => void store.delete(key),

    async http({ id, method, url, headers, body }) {
      const stop = new AbortController();
      cancels.set(id, () => stop.abort());
      const response = await fetch(url, {
        method,
        headers,
        body: body === undefined ? undefined : Buffer.from(body, 'base64'),
        redirect: 'manual', // A redirect is an answer, and never followed.
        signal: stop.signal,
      });
      const bytes = Buffer.from(await response.arrayBuffer());
      cancels.delete(id);
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: bytes.toString('base64'),
      };
    },

    async 'browser.reserve'({ id, redirect }) {
      if (Array.isArray(redirect)) throw new Refusal('unsupported');
      const { loopback, path, ports } = redirect;
      const visit = { arrived: [], ask: null };
      const answer = ({ method, url }, response) => {
        const isRedirect = method === 'GET' && url.split('?')[0] === (path || '/');
        response.writeHead(isRedirect ? 200 : 404, { 'content-type': 'text/plain' });
        // Not "signed in": that is known only when the code was exchanged (browser.outcome).
        response.end(isRedirect ? 'You can go back to the program.' : '');
        if (!isRedirect) return;
        visit.arrived.push(new URL(url, visit.redirectUri).href);
        visit.ask?.(visit.arrived.shift());
        visit.ask = null;
      };
      const servers = [];
      visit.close = () => {
        for (const server of servers) {
          server.close();
          server.closeAllConnections();
        }
      };
      let port = ports === 'any' ? 0 : ports[0];
      // Which of its two addresses `localhost` means is the browser's choice: another program must not have one.
      for (const address of loopback === 'localhost' ? ['127.0.0.1', '::1'] : [loopback]) {
        const server = createServer(answer);
        try {
          port = await listen(server, address, port);
          servers.push(server);
        } catch ({ code }) {
          // A machine without IPv6 has nothing to hold there.
          if (/^(EADDRNOTAVAIL|EAFNOSUPPORT)$/.test(code) && servers.length > 0) continue;
          visit.close();
          throw new Refusal('port_in_use');
        }
      }
      visit.redirectUri = `http://${loopback}:${port}${path}`;
      visits.set(id, visit);
      return { redirectUri: visit.redirectUri };
    },
    'browser.open': ({ url }) => openBrowser(url),
    'browser.redirect': ({ id, visit: visitId }) => {
      const visit = visits.get(visitId);
      if (visit.arrived.length > 0) return visit.arrived.shift();
      cancels.set(id, () => (visit.ask = null));
      return new Promise((answer) => (visit.ask = answer));
    },
    'browser.outcome': () => null,
    'browser.release': ({ id }) => {
      visits.get(id)?.close();
      visits.delete(id);
    },
  };

  const result = (value) => JSON.stringify({ result: value ?? null });
  const failure = ({ code }) =>
    JSON.stringify({ error: { code: typeof code === 'string' ? code : 'failed' } });

  /** Answers at once where it can: the engine waits for `random` and `clock.monotonic`. */
  const call = (method, paramsJson) => {
    try {
      const play = methods[method];
      if (!play) throw new Refusal('unsupported');
      const value = play(JSON.parse(paramsJson));
      return value instanceof Promise ? value.then(result, failure) : result(value);
    } catch (error) {
      return failure(error);
    }
  };
  /** For a program that ends before its add-in does. */
  const close = () => {
    for (const cancel of cancels.values()) cancel();
    for (const visit of visits.values()) visit.close();
  };
  return { call, close };
}

const listen = (server, host, port) =>
  new Promise((listening, failed) => {
    server.on('error', failed);
    server.listen({ host, port, exclusive: true }, () => listening(server.address().port));
  });
