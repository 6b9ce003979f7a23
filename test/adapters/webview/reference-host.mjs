// A whole host by PROTOCOL.md, over stdin and stdout, from the document alone. `--break <name>` breaks one promise, so that
// conformance.mjs can be seen to find it.
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { createInterface } from 'node:readline';

const broken = new Set(process.argv.slice(2).filter((each) => each !== '--break'));
const breaks = (name) => broken.has(name);

const MAX_BYTES = 1 << 20;
const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];
const random = () => randomBytes(16).toString('hex');
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const put = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const INVALID = { code: -32602, message: 'wrong params' };
const fail = (code, details = {}) => ({ code: -32000, message: code, data: { code, details } });
const need = (holds) => {
  if (!holds) throw INVALID;
};

let nonce = '';
let isAttached = false;
let limit = MAX_BYTES;
const seen = new Set();
const underWay = new Map();
const visits = new Map();
const bodies = new Map();
const uploads = new Map();
const store = new Map();

const notify = (method, params) => put({ jsonrpc: '2.0', nonce, method, params });

function load() {
  if (!(breaks('same nonce') && nonce)) nonce = breaks('short nonce') ? 'abc' : random();
  isAttached = true;
  limit = MAX_BYTES;
  seen.clear();
  if (!breaks('visits stay')) for (const name of [...visits.keys()]) closeVisit(name);
  for (const name of [...bodies.keys()]) closeBody(name);
  put({ control: 'nonce', nonce });
}

// Addresses -----------------------------------------------------------------------------------------------------------

function parse(text) {
  if (typeof text !== 'string' || /[^!-~]|\\/.test(text.split(/[?#]/, 1)[0])) return null;
  let url;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (url.username || url.password) return null;
  if (/^(javascript|data|blob|file|about):$/.test(url.protocol)) return null;
  if (/^https?:$/.test(url.protocol)) {
    const [, authority = ''] = /^\w+:\/\/([^/?#]+)/.exec(text) ?? [];
    const usual = `${url.hostname}:${url.protocol === 'http:' ? 80 : 443}`;
    if (![url.host, usual].includes(authority.toLowerCase())) return null;
  }
  const path = url.pathname.replace(/%[\da-f]{2}/gi, (code) => {
    const character = String.fromCharCode(parseInt(code.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : code.toUpperCase();
  });
  return {
    place: [url.protocol, url.hostname.toLowerCase(), url.port, path || '/'].join('|'),
    query: url.search.slice(1),
    url,
  };
}

function isRedirect(text, redirectUri) {
  if (breaks('startsWith')) return text.startsWith(redirectUri);
  const came = parse(text);
  const expected = parse(redirectUri);
  if (!came || !expected || redirectUri.includes('#')) return false;
  const isThere = !expected.query || `${came.query}&`.startsWith(`${expected.query}&`);
  return came.place === expected.place && isThere;
}

function isPresentable(text) {
  const { url } = parse(text) ?? {};
  if (!url) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.includes(url.hostname));
}

// Sign-in pages -------------------------------------------------------------------------------------------------------

const PAGE = '<!doctype html><title>Signed in</title><p>You can go back now.';

const listen = (server, port, host) =>
  new Promise((resolve) => {
    server.on('error', () => resolve(null));
    server.listen({ port, host, exclusive: true }, () => resolve(server.address().port));
  });

async function hold(uri, visit, name) {
  const { hostname, port, pathname } = new URL(uri);
  const answer = (request, response) => {
    const headers = {
      'cache-control': breaks('cache') ? 'public' : 'no-store',
      'referrer-policy': 'no-referrer',
      connection: 'close',
    };
    const path = request.url.split('?')[0];
    const isExact =
      request.method === 'GET' &&
      path === pathname &&
      request.headers.host === new URL(visit.redirectUri).host;
    if (path === '/done')
      return response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end(PAGE);
    if (!isExact && !breaks('any request')) return response.writeHead(404, headers).end();
    const origin = visit.redirectUri.slice(0, visit.redirectUri.length - pathname.length);
    let url = origin + request.url;
    if (breaks('decodes')) url = decodeURIComponent(url);
    if (!(breaks('once') && visit.count > 0))
      notify('visit.redirect', { visit: name, redirect: (visit.count += 1), url });
    if (breaks('code stays'))
      return response.writeHead(200, headers).end(`signed in with ${request.url}`);
    response.writeHead(303, { ...headers, location: '/done' }).end();
  };
  let wanted = Number(port);
  for (const host of hostname === 'localhost' && !breaks('one address')
    ? ['127.0.0.1', '::1']
    : ['127.0.0.1']) {
    const server = http.createServer(answer);
    const got = await listen(server, wanted, host);
    if (got === null && host === '::1') continue;
    if (got === null) return false;
    visit.servers.push(server);
    wanted = got;
  }
  const { pathname: path } = new URL(uri);
  visit.redirectUri = port === '0' ? `http://${hostname}:${wanted}${path}` : uri;
  return true;
}

function placesOf(redirect) {
  if (Array.isArray(redirect)) return redirect;
  const { loopback, path, ports } = redirect ?? {};
  if (!['127.0.0.1', 'localhost'].includes(loopback) || !/^(\/.*)?$/.test(path)) return [];
  const list = ports === 'any' ? [0] : ports;
  if (!Array.isArray(list) || !list.every(Number.isInteger)) return [];
  return list.map((port) => `http://${loopback}:${port}${path}`);
}

function closeVisit(name) {
  const visit = visits.get(name);
  if (breaks('port stays')) return;
  visits.delete(name);
  for (const server of visit?.servers ?? []) {
    server.close();
    server.closeAllConnections();
  }
}

function navigate({ n, visit: name, url, mainFrame }) {
  const visit = visits.get(name);
  const tell = () => notify('visit.redirect', { visit: name, redirect: (visit.count += 1), url });
  let decision = 'refuse';
  if (visit && isRedirect(url, visit.redirectUri)) {
    if (mainFrame || breaks('frames')) {
      tell();
      decision = breaks('connects') ? 'allow' : 'captured';
    }
  } else if (visit && (isPresentable(url) || url === 'about:blank' || breaks('any scheme')))
    decision = 'allow';
  put({ control: 'navigation', n, decision });
}

// HTTP ----------------------------------------------------------------------------------------------------------------

const headersOf = (headers) =>
  Object.fromEntries([...headers].filter(([name]) => name !== 'set-cookie' || breaks('cookies')));
function bytesOf(text) {
  need(typeof text === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(text));
  return Buffer.from(text, 'base64');
}

function closeBody(name) {
  bodies.get(name)?.controller.abort();
  bodies.delete(name);
}

/** Waits for what comes next; `false` at the end. Who leaves misses nothing. */
async function pull(body, ...leave) {
  body.coming ??= body.reader.read();
  const step = await Promise.race([body.coming, ...leave]).catch((error) => {
    if (breaks('short is whole') && body.left.length > 0 && error !== LATE) return { done: true };
    throw error;
  });
  body.coming = null;
  if (!step.done) body.left = Buffer.concat([body.left, step.value]);
  return !step.done;
}

const room = () => (breaks('long pieces') ? MAX_BYTES : limit) / 2 - 512;
function cut(body) {
  const piece = body.left.subarray(0, room());
  body.left = body.left.subarray(piece.length);
  return piece.toString('base64');
}

const aborted = (signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(fail('aborted'))));
const LATE = {};
const late = () => new Promise((_, reject) => setTimeout(reject, 100, LATE));

async function give(head, response, controller, signal) {
  if (!response.body && !breaks('opens empty')) return { ...head, body: '', more: null };
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  const { host } = new URL(response.url);
  const body = { reader, controller, host, left: Buffer.alloc(0), coming: null };
  const leave = [aborted(signal), late()];
  for (const each of leave) each.catch(() => {});
  try {
    if (breaks('opens empty')) throw LATE;
    while (body.left.length <= room()) {
      if (!(await pull(body, ...leave)))
        return { ...head, body: body.left.toString('base64'), more: null };
    }
  } catch (error) {
    body.coming?.catch(() => {});
    if (signal.aborted || (error !== LATE && body.left.length === 0)) throw error;
    if (breaks('waits for bytes') && body.left.length === 0) await pull(body, leave[0]);
  }
  const name = random();
  bodies.set(name, body);
  return { ...head, body: cut(body), more: name };
}

async function readBody(name, signal) {
  const body = bodies.get(name);
  need(body);
  const leave = aborted(signal);
  leave.catch(() => {});
  try {
    while (body.left.length === 0) {
      if (await pull(body, leave)) continue;
      bodies.delete(name);
      return { body: '', more: null };
    }
  } catch (error) {
    body.coming?.catch(() => {});
    if (!breaks('reads on')) closeBody(name);
    throw signal.aborted ? error : fail('network_error', { host: body.host });
  }
  return { body: cut(body), more: name };
}

async function request({ method, url, headers, body, upload }, signal) {
  const pieces = uploads.get(upload);
  if (!breaks('keeps uploads')) uploads.delete(upload);
  need(upload === undefined || pieces);
  const bytes = pieces ? Buffer.concat(pieces) : body && bytesOf(body);
  need(typeof method === 'string' && isPresentable(url) && isObject(headers));
  need(Object.values(headers).every((value) => typeof value === 'string' && !/[\r\n]/.test(value)));
  const controller = new AbortController();
  signal.addEventListener('abort', () => !breaks('cancel') && controller.abort());
  try {
    const redirect = breaks('follows') ? 'follow' : 'manual';
    const response = await fetch(url, {
      method,
      headers,
      body: bytes,
      redirect,
      signal: controller.signal,
    });
    const head = { status: response.status, headers: headersOf(response.headers) };
    return await give(head, response, controller, signal);
  } catch {
    throw fail('network_error', { host: new URL(url).host, ...(breaks('quotes') && { headers }) });
  }
}

// What may be asked ----------------------------------------------------------------------------------------------------

const keyOf = ({ key }) => {
  need(typeof key === 'string' && key.length <= 1_024);
  return breaks('keys') ? key.toLowerCase() : key;
};
const pasted = ({ text }) => {
  need(typeof text === 'string' && text.length <= 16_384);
  throw fail('malformed_response', { problem: 'no sign-in waits' });
};
const SIGNED_OUT = { name: 'signedOut', reason: 'never' };
const signInRequired = () => {
  throw fail('sign_in_required', { reason: 'never' });
};

const METHODS = new Map(
  Object.entries({
    hello: ({ maxMessageBytes }) => {
      limit = Math.min(limit, maxMessageBytes ?? MAX_BYTES);
      return {
        protocol: 1,
        name: 'Reference host',
        offers: ['browser', 'view', 'http', 'store', 'session'],
      };
    },
    'visit.open': async ({ capture, redirect }, signal) => {
      need(['host', 'view'].includes(capture));
      const places = placesOf(redirect);
      need(places.length > 0 && places.every((each) => URL.canParse(each)) && visits.size < 64);
      const name = breaks('counts visits') ? String(visits.size + 1) : random();
      const visit = { capture, redirectUri: places[0], count: 0, servers: [] };
      if (capture === 'host') {
        let isHeld = false;
        for (const place of places) isHeld ||= await hold(place, visit, name);
        if (!isHeld)
          throw fail('redirect_port_in_use', {
            ports: places.map((each) => Number(new URL(each).port)),
          });
      }
      visits.set(name, visit);
      // Long enough that nothing else can be meant by what comes next.
      if (breaks('keeps withdrawn')) await new Promise((done) => setTimeout(done, 100));
      if (signal.aborted) {
        if (!breaks('keeps withdrawn')) closeVisit(name);
        throw fail('aborted');
      }
      return { visit: name, redirectUri: visit.redirectUri };
    },
    'visit.navigate': ({ visit, url }) => {
      need(
        visits.has(visit) &&
          (isPresentable(url) || (breaks('shows anything') && typeof url === 'string')),
      );
      const { capture, isShown } = visits.get(visit);
      const name = breaks('another view') && isShown ? random() : visit;
      visits.get(visit).isShown = true;
      if (capture === 'view') put({ control: 'view', visit: name, url });
      else
        put({
          control: 'browser',
          url: breaks('other address') ? decodeURIComponent(url) : url,
        });
      return {};
    },
    'visit.close': ({ visit }) => (closeVisit(visit), {}),
    'http.request': request,
    'body.read': ({ body }, signal) => readBody(body, signal),
    'body.close': ({ body }) => {
      closeBody(body);
      uploads.delete(body);
      return {};
    },
    'body.write': ({ body, data }) => {
      const name = body ?? random();
      need(body === null || uploads.has(name));
      uploads.set(name, [...(uploads.get(name) ?? []), bytesOf(data)]);
      return { body: name };
    },
    'store.get': (params) => ({
      value: breaks('prototype')
        ? (Object.fromEntries(store)[keyOf(params)] ?? null)
        : (store.get(keyOf(params)) ?? null),
    }),
    'store.set': (params) => {
      const { value } = params;
      need(typeof value === 'string' && value.length <= 262_144);
      store.set(keyOf(params), breaks('trims') ? value.trim() : value);
      return {};
    },
    'store.remove': (params) => (store.delete(keyOf(params)), {}),
    'store.ready': () => ({}),
    'store.watch': () => ({}),
    'store.unwatch': () => ({}),
    'session.state': () => ({ seq: 0, state: SIGNED_OUT }),
    'session.signOut': () => ({}),
    'session.completeSignIn': pasted,
    'session.getAccessToken': ({ account }) =>
      breaks('other account') && account ? { accessToken: 'x' } : signInRequired(),
    'session.request': ({ method, path }) => {
      need(typeof method === 'string' && typeof path === 'string');
      signInRequired();
    },
    ...(breaks('refresh token') && { 'session.getRefreshToken': () => ({ refreshToken: 'x' }) }),
  }),
);

async function answer({ id, method, params = {} }) {
  const controller = new AbortController();
  underWay.set(id, controller);
  const own = nonce;
  let told;
  try {
    const run = breaks('finds anything')
      ? (METHODS.get(method) ?? {}[method])
      : METHODS.get(method);
    if (!run) throw { code: -32601, message: 'unknown method' };
    need(isObject(params));
    told = { result: await run(params, controller.signal) };
  } catch (error) {
    const isWithdrawn = controller.signal.aborted && !breaks('answers withdrawn');
    told = { error: isWithdrawn ? fail('aborted') : error };
  }
  underWay.delete(id);
  if (told.error && !told.error.code) told.error = { code: -32603, message: 'internal' };
  const more = breaks('no nonce in answers') ? {} : { nonce: own };
  if (own === nonce) put({ jsonrpc: '2.0', ...more, id, ...told });
}

createInterface({ input: process.stdin, crlfDelay: Infinity })
  .on('line', (line) => {
    const isLong =
      Buffer.byteLength(line) > (breaks('counts characters') ? 3 * MAX_BYTES : MAX_BYTES);
    if (isLong && !breaks('any length')) return;
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      if (breaks('answers broken JSON')) put({ jsonrpc: '2.0', id: null, error: { code: -32700 } });
      return;
    }
    if (!isObject(message)) return;
    if (breaks('half a character') && line.includes('\\ud800')) process.exit(1);
    if (message.control === 'load') return load();
    if (message.control === 'leave') return void (isAttached = false);
    if (message.control === 'navigation') return navigate(message);
    if (message.control === 'closeView')
      return breaks('closes silently')
        ? undefined
        : notify('visit.window', { visit: message.visit, fate: 'closed' });
    const isOurs = breaks('prefix nonce')
      ? nonce.startsWith(String(message.nonce))
      : breaks('any nonce') || message.nonce === nonce;
    if (!isAttached && breaks('stays attached')) {
      put({ jsonrpc: '2.0', nonce, id: message.id, result: {} });
    }
    if (!isAttached || !isOurs || message.jsonrpc !== '2.0') return;
    if (message.id === undefined) {
      if (message.method === 'cancel') underWay.get(message.params?.id)?.abort();
      return;
    }
    if (typeof message.id !== 'string' || (seen.has(message.id) && !breaks('answers twice')))
      return;
    seen.add(message.id);
    void answer(message);
  })
  .on('close', () => !breaks('lives on') && process.exit(0));
if (breaks('lives on')) setInterval(() => {}, 1_000);
if (!breaks('says nothing')) load();
