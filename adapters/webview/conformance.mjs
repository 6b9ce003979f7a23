#!/usr/bin/env node
// Plays a panel against a host of any language, over stdin and stdout: node conformance.mjs [options] -- <command>
// What is asked of a host is in PROTOCOL.md, which lies beside this file. Needs Node 20 and nothing else.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';

const MAX_BYTES = 1 << 20;
/** A lone surrogate: JSON can write it as an escape, though no UTF-8 can. */
const HALF = '\ud800';

const USAGE = `usage: node conformance.mjs [options] -- <command that starts the host>
  --only store,http   plays these sections alone
  --limit 10000       ms: how long an answer may take
  --patience 10000    ms: how long to wait for what a host does without being asked again; default as --limit
  --start 30000       ms: how long the host may take to begin`;
const separator = process.argv.indexOf('--');
const command = separator < 0 ? [] : process.argv.slice(separator + 1);
const options = process.argv.slice(2, separator < 0 ? undefined : separator);
const option = (name) => (options.includes(name) ? options[options.indexOf(name) + 1] : undefined);
const only = option('--only')?.split(',') ?? null;
/** How long an answer may take on a busy machine; the protocol's own limits are at least this. */
const LIMIT_MS = Number(option('--limit') ?? 10_000);
/**
 * How long to wait for a notification, a freed port, a closed socket, an end. A host by the document needs far less; who
 * knows that the host is none, as a test does, need not wait so long to be told.
 */
const PATIENCE_MS = Number(option('--patience') ?? LIMIT_MS);
/** How long the host may take to begin. */
const START_MS = Number(option('--start') ?? 30_000);
if (command.length === 0 || ![LIMIT_MS, PATIENCE_MS, START_MS].every((ms) => ms > 0)) {
  console.error(USAGE);
  process.exit(2);
}

class Broken extends Error {}
const must = (holds, what) => {
  if (!holds) throw new Broken(what);
};
const show = (value) => String(JSON.stringify(value)).slice(0, 160);
const random = () => randomBytes(16).toString('hex');
const base64 = (data) => Buffer.from(data).toString('base64');
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const tick = () => new Promise((done) => setTimeout(done, 20));

// The host, and what it says ------------------------------------------------------------------------------------------

const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
child.on('error', (error) => {
  console.error(`The host could not be started: ${error.message}`);
  process.exit(2);
});
child.stdin.on('error', () => {});
const said = [];
/** How long each of them was, in bytes. */
const lengths = [];
let waiting = [];
let isOver = false;
/** What cannot be read is told once, at the end. */
const unreadable = [];
createInterface({ input: child.stdout, crlfDelay: Infinity })
  .on('line', (line) => {
    if (!line.trim()) return;
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      unreadable.push(line);
      return;
    }
    const length = Buffer.byteLength(line);
    if (length > MAX_BYTES) unreadable.push(`${line.slice(0, 60)}… is too long`);
    said.push(message);
    lengths.push(length);
    for (const check of [...waiting]) check();
  })
  .on('close', () => {
    isOver = true;
    for (const check of [...waiting]) check();
  });
const exited = new Promise((done) => child.on('exit', done));

/** The first message that fits, said after `from`. */
function hear(what, fits, from = 0, limitMs = PATIENCE_MS) {
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer);
      waiting = waiting.filter((each) => each !== check);
      settle(value);
    };
    const check = () => {
      const found = said.slice(from).find((message) => isObject(message) && fits(message));
      if (found) end(resolve, found);
      else if (isOver) end(reject, new Broken(`the host ended, ${what} was expected`));
    };
    const late = () => end(reject, new Broken(`${what} did not come within ${limitMs} ms`));
    const timer = setTimeout(late, limitMs);
    waiting.push(check);
    check();
  });
}

const write = (text) => void child.stdin.write(`${text}\n`);
const control = (message) => write(JSON.stringify(message));
let nonce = '';
let offers = [];
/** Ids that must never be answered. */
const never = new Set();
/** Ids of what was withdrawn while the host was certainly at it. */
const withdrawn = new Set();

const message = (more) => ({ jsonrpc: '2.0', nonce, ...more });
const answerTo = (id) => (each) => each.id === id && ('result' in each || 'error' in each);

/** Sends a request, and says under which id. */
function send(method, params) {
  const id = random();
  write(JSON.stringify(message({ id, method, params })));
  return id;
}
const withdraw = (id) => write(JSON.stringify(message({ method: 'cancel', params: { id } })));

async function call(method, params = {}, limitMs = LIMIT_MS) {
  const id = send(method, params);
  const answer = await hear(`an answer to ${method}`, answerTo(id), 0, limitMs);
  must(answer.jsonrpc === '2.0', `the answer to ${method} is not JSON-RPC 2.0: ${show(answer)}`);
  must(answer.nonce === nonce, `the answer to ${method} does not carry the nonce`);
  must(!('result' in answer && 'error' in answer), `${method} has both a result and an error`);
  return answer;
}

async function ask(method, params, limitMs) {
  const answer = await call(method, params, limitMs);
  must(
    isObject(answer.result),
    `${method} was answered with ${show(answer.error ?? answer.result)}`,
  );
  return answer.result;
}

async function refuse(method, params, expected) {
  const { error } = await call(method, params);
  must(isObject(error), `${method} ${show(params)} was not refused`);
  const got = error.code === -32000 ? error.data?.code : error.code;
  must([expected].flat().includes(got), `${method} was refused with ${show(got)}, not ${expected}`);
  return error;
}

/** Looks again and again until it is so. */
async function until(isSo, otherwise, limitMs = PATIENCE_MS) {
  const end = Date.now() + limitMs;
  while (!(await isSo())) {
    must(Date.now() < end, otherwise);
    await tick();
  }
}

/** Says something that must have no answer, and waits until the host has answered something else since. */
async function unanswered(text, id) {
  if (id) never.add(id);
  write(text);
  await ask('hello', { protocol: 1 });
  must(!said.some((each) => each?.id === id && id !== undefined), 'it was answered');
}

async function load() {
  const from = said.length;
  control({ control: 'load' });
  const before = nonce;
  ({ nonce } = await hear('a nonce', (each) => each.control === 'nonce', from, LIMIT_MS));
  must(/^[\w-]{22,128}$/.test(nonce), `a nonce of another form: ${show(nonce)}`);
  must(nonce !== before, 'the nonce is the same as before');
  return before;
}

// What is played ------------------------------------------------------------------------------------------------------

const results = { kept: 0, broken: 0, left: [] };
const sections = [];
const section = (name, offer, play) => sections.push({ name, offer, play });

async function promise(what, play) {
  try {
    const note = await play();
    results.kept += 1;
    console.log(`  ✓ ${what}${typeof note === 'string' && note ? ` (${note})` : ''}`);
  } catch (error) {
    if (!(error instanceof Broken)) error.message = `the script failed: ${error.stack}`;
    results.broken += 1;
    console.log(`  ✗ ${what}\n      ${error.message}`);
  }
}

section('messages', null, async () => {
  await promise('says hello: protocol 1, a name, what it offers', async () => {
    const hello = await ask('hello', { protocol: 1 });
    must(hello.protocol === 1, `protocol ${show(hello.protocol)}`);
    must(typeof hello.name === 'string' && hello.name.length <= 100, `name ${show(hello.name)}`);
    must(Array.isArray(hello.offers), `offers ${show(hello.offers)}`);
    offers = hello.offers;
    return offers.join(', ');
  });
  const hello = (id, more = {}) =>
    JSON.stringify({ ...message({ id, method: 'hello', params: { protocol: 1 } }), ...more });
  const without = (id, name) => {
    const { [name]: _, ...rest } = JSON.parse(hello(id));
    return JSON.stringify(rest);
  };
  for (const [what, make] of [
    ['what is no JSON', () => '{"jsonrpc":"2.0",'],
    ['a list', (id) => `[${hello(id)}]`],
    ['null', () => 'null'],
    ['a number', () => '7'],
    ['a message without a nonce', (id) => without(id, 'nonce')],
    ['a message with another nonce', (id) => hello(id, { nonce: 'x'.repeat(nonce.length) })],
    ['a message with the beginning of the nonce', (id) => hello(id, { nonce: nonce.slice(0, -1) })],
    ['a message with the nonce and more', (id) => hello(id, { nonce: `${nonce}x` })],
    ['a message with an empty nonce', (id) => hello(id, { nonce: '' })],
    ['a message with a nonce that is no text', (id) => hello(id, { nonce: [nonce] })],
    ['a message with a nonce that is half a character', (id) => hello(id, { nonce: HALF })],
    ['half a character for a nonce and nothing else', () => `{"jsonrpc":"2.0","nonce":"\\ud800"}`],
    ['what is nested very deep', () => '['.repeat(100_000)],
    ['a message that is not JSON-RPC 2.0', (id) => without(id, 'jsonrpc')],
    [
      'a message longer than 1,048,576 bytes',
      (id) => hello(id, { padding: 'x'.repeat(MAX_BYTES) }),
    ],
    [
      'a message longer than that in UTF-8 alone',
      (id) => hello(id, { padding: '€'.repeat(400_000) }),
    ],
  ]) {
    await promise(`drops ${what}, and goes on`, async () => {
      const id = random();
      await unanswered(make(id), id);
    });
  }
  await promise('survives half a character in an id, a method and params', async () => {
    const name = random();
    write(hello(HALF));
    write(JSON.stringify(message({ method: HALF, params: { [HALF]: HALF } })));
    write(JSON.stringify(message({ method: 'cancel', params: { id: HALF } })));
    // Whose parser refuses it, as it may, drops every such message. Who takes it answers, well or badly.
    const id = send('hello', { protocol: 1, later: HALF, [HALF]: 1 });
    await ask('hello', { protocol: 1 });
    if (!said.some(answerTo(id))) return 'it is no JSON to it';
    for (const [method, params] of [
      [HALF, {}],
      ['visit.navigate', { visit: HALF, url: `https://as.example/${HALF}` }],
      ['store.set', { key: name, value: HALF }],
      ['store.get', { key: name }],
      ['store.remove', { key: name }],
      ['http.request', { method: 'GET', url: 'https://127.0.0.1:1/', headers: { a: HALF } }],
    ]) {
      await call(method, params);
    }
    return '';
  });
  await promise('survives notifications whose params are of another kind', async () => {
    for (const odd of [null, 7, true, '', 'x', [], {}, [[]]]) {
      write(JSON.stringify(message({ method: 'cancel', params: { id: odd } })));
      write(JSON.stringify(message({ method: 'visit.outcome', params: { visit: odd } })));
      write(JSON.stringify(message({ method: 'cancel', params: odd })));
    }
    await ask('hello', { protocol: 1 });
  });
  await promise('answers a request that comes twice only once', async () => {
    const id = random();
    write(hello(id));
    await hear('an answer', answerTo(id), 0, LIMIT_MS);
    write(hello(id));
    await ask('hello', { protocol: 1 });
    must(said.filter(answerTo(id)).length === 1, 'it was answered twice');
  });
  await promise('refuses methods it does not know with -32601', async () => {
    for (const method of [
      'no.such',
      '',
      '__proto__',
      'constructor',
      'toString',
      'session',
      'store',
      'tokens.get',
    ]) {
      await refuse(method, {}, -32601);
    }
  });
  await promise('ignores members it does not know, and notifications', async () => {
    write(JSON.stringify(message({ method: 'no.such', params: { x: 1 } })));
    write(JSON.stringify(message({ method: 'cancel', params: { id: random() } })));
    write(JSON.stringify(message({ method: 'cancel', params: {} })));
    await ask('hello', { protocol: 1, later: { version: 2 } });
  });
  await promise('makes another nonce for each load, and the one before is void', async () => {
    const seen = new Set([nonce]);
    for (let i = 0; i < 5; i += 1) {
      const before = await load();
      must(!seen.has(nonce), 'a nonce came twice');
      seen.add(nonce);
      const id = random();
      await unanswered(hello(id, { nonce: before }), id);
    }
  });
  await promise(
    'is deaf while another page is shown, and there again after the next load',
    async () => {
      const id = random();
      never.add(id);
      control({ control: 'leave', url: 'https://as.example/authorize' });
      write(hello(id));
      // Nothing is left to wait for but time.
      await new Promise((done) => setTimeout(done, Math.min(500, PATIENCE_MS)));
      await load();
      await ask('hello', { protocol: 1 });
      must(!said.some((each) => each?.id === id), 'it answered a page that is not its own');
    },
  );
});

const AUTHORIZATION_URL = 'https://as.example/authorize?client_id=a%20b&redirect_uri=x&state=s%7E1';
const LOOPBACK = { loopback: '127.0.0.1', path: '/callback', ports: 'any' };
const isRedirectOf = (visit) => (each) =>
  each.method === 'visit.redirect' && each.params?.visit === visit;

/** One request to the host's listener, with exactly this Host. */
function visitPage(uri, { method = 'GET', headers = {}, host } = {}) {
  const { hostname, port, pathname, search } = new URL(uri);
  return new Promise((resolve, reject) => {
    const address = (host ?? hostname).replace(/[[\]]/g, '');
    const request = http.request(
      {
        method,
        host: address,
        port,
        path: pathname + search,
        headers: { host: `${hostname}:${port}`, ...headers },
        agent: false,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text) => (body += text));
        response.on('end', () =>
          resolve({ status: response.statusCode, headers: response.headers, body }),
        );
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.setTimeout(40_000, () => request.destroy(new Error('no answer')));
    request.end();
  });
}

const canConnect = (port, host = '127.0.0.1') =>
  new Promise((resolve) => {
    const socket = net.connect({ port, host });
    socket.on('connect', () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });

async function isFreed(uri) {
  const { port } = new URL(uri);
  const isFree = async () => !(await canConnect(port));
  await until(isFree, 'the port is not free again', Math.min(5_000, PATIENCE_MS));
}

section('browser', 'browser', async () => {
  const open = async (redirect = LOOPBACK) => {
    const opened = await ask('visit.open', { capture: 'host', redirect });
    must(
      typeof opened.visit === 'string' && opened.visit.length >= 16,
      `visit ${show(opened.visit)}`,
    );
    must(typeof opened.redirectUri === 'string', `redirectUri ${show(opened.redirectUri)}`);
    return opened;
  };
  let first;
  await promise('reserves a port of loopback, and shows nothing yet', async () => {
    const from = said.length;
    first = await open();
    must(/^http:\/\/127\.0\.0\.1:\d+\/callback$/.test(first.redirectUri), first.redirectUri);
    must(await canConnect(new URL(first.redirectUri).port), 'nobody listens there');
    must(!said.slice(from).some((each) => each.control === 'browser'), 'it showed something');
  });
  if (!first) return;
  const { visit, redirectUri } = first;
  await promise('hands exactly the authorization address to the browser', async () => {
    const from = said.length;
    await ask('visit.navigate', { visit, url: AUTHORIZATION_URL });
    const { url } = await hear('the browser', (each) => each.control === 'browser', from);
    must(url === AUTHORIZATION_URL, `it shows ${url}`);
  });
  const land = async (query, ...outcomes) => {
    const from = said.length;
    const page = visitPage(redirectUri + query);
    page.catch(() => {});
    const { params } = await hear('visit.redirect', isRedirectOf(visit), from);
    must(params.url === redirectUri + query, `it came as ${params.url}`);
    for (const kind of outcomes) {
      const outcome = { visit, redirect: params.redirect, kind };
      write(JSON.stringify(message({ method: 'visit.outcome', params: outcome })));
    }
    return {
      page: await page.catch((error) => must(false, `the browser got no answer: ${error.message}`)),
      params,
    };
  };
  const secret = random();
  let numbers = [];
  await promise('gives back a redirect exactly as it came', async () => {
    const { params } = await land(
      `?code=a%2Fb+c~${secret}&state=%7Es1&iss=https%3A%2F%2Fas.example%2F&x`,
      'signedIn',
    );
    numbers = [params.redirect];
    must(params.redirect === 1, `it counts from ${params.redirect}`);
  });
  await promise(
    'gives back every redirect, whatever it says, until the visit is closed',
    async () => {
      for (const query of [
        '?error=access_denied&state=s',
        '',
        '?state=other',
        `?code=${secret}`,
        `?code=${secret}`,
      ]) {
        const { params } = await land(query, 'ignored');
        numbers.push(params.redirect);
      }
      must(new Set(numbers).size === numbers.length, `their numbers are ${numbers}`);
    },
  );
  await promise('survives an outcome that is none, and answers the browser still', async () => {
    for (const redirect of [null, 'x', [], {}, 1e9]) {
      const params = { visit, redirect, kind: 'signedIn' };
      write(JSON.stringify(message({ method: 'visit.outcome', params })));
    }
    for (const kind of [{}, [], null, HALF]) await land(`?code=${secret}`, kind, 'ignored');
  });
  await promise(
    'answers the browser with a page that keeps nothing: no code, no store, no referrer',
    async () => {
      let { page } = await land(`?code=${secret}`, 'signedIn');
      for (let i = 0; i < 3 && page.status >= 300 && page.status < 400; i += 1) {
        const target = new URL(page.headers.location ?? '', redirectUri);
        must(target.origin === new URL(redirectUri).origin, `it leads to ${target.origin}`);
        must(!target.href.includes(secret), 'the code stays in the address');
        page = await visitPage(target.href);
      }
      must(page.status === 200, `status ${page.status}`);
      must(!page.body.includes(secret), 'the code is in the page');
      must(/no-store/.test(page.headers['cache-control'] ?? ''), 'it may be stored');
      must(page.headers['referrer-policy'] === 'no-referrer', 'it sends a referrer');
    },
  );
  await promise('takes only GET, the exact path and its own Host for a redirect', async () => {
    const from = said.length;
    const { port } = new URL(redirectUri);
    const tries = [
      visitPage(`${redirectUri}?code=${secret}`, { method: 'POST' }),
      visitPage(`${redirectUri}x?code=${secret}`),
      visitPage(`${redirectUri}/?code=${secret}`),
      visitPage(`http://127.0.0.1:${port}/?code=${secret}`),
      visitPage(`http://127.0.0.1:${port}/favicon.ico`),
      visitPage(`${redirectUri}?code=${secret}`, { headers: { host: `evil.example:${port}` } }),
    ];
    await Promise.allSettled(tries);
    await ask('hello', { protocol: 1 });
    const told = said.slice(from).find(isRedirectOf(visit));
    must(!told, `it told ${told?.params.url}`);
  });
  await promise('hears a redirect while others connect and say nothing, or no HTTP', async () => {
    const other = await open();
    const { host, port, pathname } = new URL(other.redirectUri);
    const sockets = [];
    const connect = async (bytes = '') => {
      const socket = net.connect({ port, host: '127.0.0.1' });
      sockets.push(socket.on('error', () => {}));
      await new Promise((done) => socket.on('connect', done).on('close', done));
      socket.write(Buffer.from(bytes, 'latin1'));
    };
    try {
      const head = ` HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
      for (const line of [
        `GET ${pathname}?code=${secret}\xff`,
        `GET ${pathname}?code=${secret}\xc3\x28`,
        '\x16\x03',
        '',
      ])
        await connect(line + head);
      for (let i = 0; i < 40; i += 1) await connect(i % 2 ? 'GET /' : '');
      const url = `${other.redirectUri}?code=after~${secret}`;
      const page = visitPage(url);
      page.catch(() => {});
      const isTold = (each) => isRedirectOf(other.visit)(each) && each.params.url === url;
      const { params } = await hear('visit.redirect', isTold);
      const outcome = { visit: other.visit, redirect: params.redirect, kind: 'signedIn' };
      write(JSON.stringify(message({ method: 'visit.outcome', params: outcome })));
      await page.catch((error) => must(false, `the browser got no answer: ${error.message}`));
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await ask('visit.close', { visit: other.visit });
  });
  await promise('shows nothing but https, or http on loopback', async () => {
    const from = said.length;
    for (const url of [
      'file:///etc/passwd',
      'javascript:alert(1)',
      'data:text/html,x',
      'smb://server/x',
      'http://as.example/',
      'http://127.0.0.1.as.example/',
      'ms-settings:',
      '--help',
      '',
      7,
    ]) {
      await refuse('visit.navigate', { visit, url }, -32602);
    }
    await refuse('visit.navigate', { visit: random(), url: AUTHORIZATION_URL }, -32602);
    must(!said.slice(from).some((each) => each.control === 'browser'), 'it showed one of them');
  });
  await promise('frees the port when the visit is closed, and may be told twice', async () => {
    await ask('visit.close', { visit });
    await isFreed(redirectUri);
    await ask('visit.close', { visit });
    await ask('visit.close', { visit: random() });
  });
  await promise('says redirect_port_in_use, or takes the next of the ports', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await new Promise((done) => holder.on('listening', done));
    const { port } = holder.address();
    try {
      await refuse(
        'visit.open',
        { capture: 'host', redirect: { ...LOOPBACK, ports: [port] } },
        'redirect_port_in_use',
      );
      await refuse(
        'visit.open',
        { capture: 'host', redirect: [`http://127.0.0.1:${port}/callback`] },
        'redirect_port_in_use',
      );
      const spare = await open();
      await ask('visit.close', { visit: spare.visit });
      await isFreed(spare.redirectUri);
      const free = Number(new URL(spare.redirectUri).port);
      const next = await open({ ...LOOPBACK, ports: [port, free] });
      must(next.redirectUri === spare.redirectUri, `it took ${next.redirectUri}`);
      await ask('visit.close', { visit: next.visit });
    } finally {
      holder.close();
    }
  });
  await promise('frees the place of a visit that is withdrawn while it is opened', async () => {
    const spare = await open();
    await ask('visit.close', { visit: spare.visit });
    await isFreed(spare.redirectUri);
    const ports = [Number(new URL(spare.redirectUri).port)];
    const id = send('visit.open', { capture: 'host', redirect: { ...LOOPBACK, ports } });
    withdraw(id);
    await ask('hello', { protocol: 1 });
    const { result, error } = said.find(answerTo(id)) ?? {};
    // It may have been too late for that.
    if (result) await ask('visit.close', { visit: result.visit });
    else if (error) must(error.data?.code === 'aborted', `it was answered with ${show(error)}`);
    await isFreed(spare.redirectUri);
    return result ? 'it was there before' : '';
  });
  await promise('listens on both addresses of localhost', async () => {
    const both = await open({ ...LOOPBACK, loopback: 'localhost' });
    const { port } = new URL(both.redirectUri);
    must(both.redirectUri === `http://localhost:${port}/callback`, both.redirectUri);
    must(await canConnect(port, '127.0.0.1'), 'not on 127.0.0.1');
    const probe = net.createServer();
    const hasIpv6 = await new Promise((done) =>
      probe.on('error', () => done(false)).listen(0, '::1', () => done(true)),
    );
    probe.close();
    if (hasIpv6) must(await canConnect(port, '::1'), 'not on ::1');
    await ask('visit.close', { visit: both.visit });
    return hasIpv6 ? '' : 'this machine has no ::1';
  });
  await promise('refuses places that are none', async () => {
    for (const redirect of [
      { ...LOOPBACK, loopback: 'evil.example' },
      { ...LOOPBACK, path: '@evil.example/' },
      { ...LOOPBACK, path: 'x' },
      { ...LOOPBACK, ports: [] },
      { ...LOOPBACK, ports: ['1;x'] },
      [],
      ['http://127.0.0.1:99999/callback'],
      'http://127.0.0.1/',
      null,
    ]) {
      await refuse('visit.open', { capture: 'host', redirect }, [-32602, 'configuration_error']);
    }
    await refuse('visit.open', { capture: 'sideways', redirect: LOOPBACK }, [-32602]);
  });
  await promise('closes the visits of a page that is loaded anew', async () => {
    const left = await open();
    await load();
    await isFreed(left.redirectUri);
  });
});

const table = () => {
  const text = readFileSync(new URL('PROTOCOL.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^\| `(\S+)` \| `(\S+)` \| (yes|no) \|$/gm)].map(
    ([, url, uri, match]) => [url, uri, match === 'yes'],
  );
};

section('view', 'view', async () => {
  let n = 0;
  const open = (uri) => call('visit.open', { capture: 'view', redirect: [uri] });
  const go = async (visit, url, mainFrame = true) => {
    const from = said.length;
    const number = (n += 1);
    control({ control: 'navigation', n: number, visit, url, mainFrame });
    const { decision } = await hear(
      'a decision',
      (each) => each.control === 'navigation' && each.n === number,
      from,
      LIMIT_MS,
    );
    must(['allow', 'refuse', 'captured'].includes(decision), `decision ${show(decision)}`);
    await ask('hello', { protocol: 1 });
    return { decision, told: said.slice(from).filter(isRedirectOf(visit)) };
  };
  const URI = 'http://127.0.0.1:4/cb';
  const { result: opened } = await open(URI);
  await promise('opens another view, at exactly the authorization address', async () => {
    must(opened?.redirectUri === URI, `redirectUri ${show(opened?.redirectUri)}`);
    const from = said.length;
    await ask('visit.navigate', { visit: opened.visit, url: AUTHORIZATION_URL });
    const { url, visit } = await hear('the view', (each) => each.control === 'view', from);
    must(url === AUTHORIZATION_URL && visit === opened.visit, `it shows ${url}`);
  });
  if (!opened) return;
  const { visit } = opened;
  await promise(
    'goes on in the same view, or refuses, when it is to show another page',
    async () => {
      const from = said.length;
      const url = `${AUTHORIZATION_URL}&prompt=login`;
      const { error } = await call('visit.navigate', { visit, url });
      if (error) return must(error.code === -32602, `it said ${show(error)}`);
      const shown = await hear('the view', (each) => each.control === 'view', from);
      must(shown.url === url && shown.visit === visit, `it shows ${show(shown)}`);
    },
  );
  await promise(
    'captures the redirect exactly as it came, every time, before it connects',
    async () => {
      for (const query of ['?code=a%2Fb+c&state=%7Es1', '?error=access_denied', '', '?code=1']) {
        const { decision, told } = await go(visit, URI + query);
        must(decision === 'captured', `it decided to ${decision} ${URI + query}`);
        must(
          told.length === 1 && told[0].params.url === URI + query,
          `it told ${show(told[0]?.params.url)}`,
        );
      }
    },
  );
  await promise('does not tell of a frame that goes there, and stops it', async () => {
    const { decision, told } = await go(visit, `${URI}?code=frame&state=s`, false);
    must(decision === 'refuse' && told.length === 0, `it decided to ${decision}`);
  });
  await promise('lets the user go to https, and http on loopback', async () => {
    for (const url of [
      AUTHORIZATION_URL,
      'https://sso.example/login?next=x',
      'http://127.0.0.1:8080/',
      'about:blank',
    ]) {
      const { decision, told } = await go(visit, url);
      must(decision === 'allow' && told.length === 0, `it decided to ${decision} ${url}`);
    }
  });
  await promise('goes nowhere else', async () => {
    for (const url of [
      'file:///etc/passwd',
      'smb://server/x',
      'data:text/html,x',
      'javascript:alert(1)',
      'blob:https://as.example/1',
      'ms-settings:x',
      'http://as.example/',
      'not a url',
    ]) {
      const { decision, told } = await go(visit, url);
      must(decision === 'refuse' && told.length === 0, `it decided to ${decision} ${url}`);
    }
  });
  await promise('compares addresses as the table says', async () => {
    const rows = table();
    must(rows.length > 30, 'PROTOCOL.md has no table');
    const wrong = [];
    for (const [url, uri, expected] of rows) {
      const { result, error } = await open(uri);
      // A URI that never can be one may be refused at once.
      if (error && !expected) continue;
      must(result, `${uri} was refused`);
      await ask('visit.navigate', { visit: result.visit, url: AUTHORIZATION_URL });
      const { decision, told } = await go(result.visit, url);
      const isCaptured = decision === 'captured' && told.length === 1 && told[0].params.url === url;
      const isPassed = decision !== 'captured' && told.length === 0;
      if (expected ? !isCaptured : !isPassed)
        wrong.push(`${url} for ${uri} must be ${expected ? 'captured' : 'no redirect'}`);
      await ask('visit.close', { visit: result.visit });
    }
    must(wrong.length === 0, wrong.join('\n      '));
  });
  await promise('tells when the user closes the view', async () => {
    const { result } = await open('http://127.0.0.1:5/cb');
    await ask('visit.navigate', { visit: result.visit, url: AUTHORIZATION_URL });
    const from = said.length;
    control({ control: 'closeView', visit: result.visit });
    const { params } = await hear('visit.window', (each) => each.method === 'visit.window', from);
    must(params?.visit === result.visit && params.fate === 'closed', show(params));
    await ask('visit.close', { visit: result.visit });
  });
  await promise('captures nothing any more when the visit is closed', async () => {
    await ask('visit.close', { visit });
    const { decision, told } = await go(visit, `${URI}?code=late`);
    must(decision === 'refuse' && told.length === 0, `it decided to ${decision}`);
  });
});

section('http', 'http', async () => {
  const seen = [];
  /** Paths whose answer is over, or whose socket is closed. */
  const freed = [];
  const server = http.createServer((request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces);
      seen.push({ method: request.method, url: request.url, headers: request.headers, body });
      const { pathname } = new URL(request.url, 'http://x');
      response.on('close', () => freed.push(pathname));
      if (pathname === '/redirect') response.writeHead(307, { location: '/target' }).end('moved');
      else if (pathname === '/cookie') response.writeHead(200, { 'set-cookie': 'a=1' }).end();
      else if (pathname === '/gzip')
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('zipped'));
      else if (pathname === '/short') {
        // Breaks off: short of the length it gave, or without its last chunk.
        const headers = request.url.endsWith('?chunked') ? {} : { 'content-length': 100 };
        response.writeHead(200, headers).write('0123456789', () => response.socket.end());
      } else if (pathname === '/long') response.end(Buffer.alloc(3_000_000, 'long '));
      else if (pathname === '/empty') response.writeHead(204).end();
      else if (pathname === '/medium') response.end(Buffer.alloc(100_000, 'medium '));
      else if (pathname === '/hang') response.writeHead(200).write('some');
      else if (pathname === '/headers') response.writeHead(200).flushHeaders();
      else if (pathname === '/silent') return;
      else
        response
          .writeHead(418, { 'content-type': 'text/plain', 'x-two': ['a', 'b'] })
          .end(body.length ? body : 'tea €');
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((done) => server.on('listening', done));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const get = (path, more = {}, limitMs = LIMIT_MS) =>
    ask('http.request', { method: 'GET', url: origin + path, headers: {}, ...more }, limitMs);
  /** As often as that. */
  const isClosed = (path, times = 1) =>
    until(() => freed.filter((each) => each === path).length >= times, 'the socket is still open');
  const readAll = async (answer) => {
    const pieces = [Buffer.from(answer.body, 'base64')];
    let { more } = answer;
    while (more !== null) {
      must(typeof more === 'string', `more is ${show(more)}`);
      const piece = await ask('body.read', { body: more });
      must(piece.more === null || piece.body.length > 0, 'a piece is empty, and there is more');
      pieces.push(Buffer.from(piece.body, 'base64'));
      ({ more } = piece);
    }
    return Buffer.concat(pieces);
  };
  const breaksOff = async (path, { more }) => {
    for (let piece = { more }; ;) {
      must(typeof piece.more === 'string', `it took the beginning of ${path} for the whole`);
      const { result, error } = await call('body.read', { body: piece.more });
      if (error) return must(error.data?.code === 'network_error', `it said ${show(error)}`);
      piece = result;
    }
  };
  await promise('sends a request, and gives status, headers and body', async () => {
    const answer = await get('/pot?a=1%20', {
      method: 'PATCH',
      headers: { 'x-a': 'b' },
      body: base64('\u0000ÿ€'),
    });
    must(answer.status === 418, `status ${answer.status}`);
    must(answer.headers['content-type'] === 'text/plain', `headers ${show(answer.headers)}`);
    must(answer.headers['x-two'] === 'a, b', `x-two is ${show(answer.headers['x-two'])}`);
    must((await readAll(answer)).equals(Buffer.from('\u0000ÿ€')), 'the body is another');
    const { method, url, headers } = seen.at(-1);
    must(
      method === 'PATCH' && url === '/pot?a=1%20' && headers['x-a'] === 'b',
      `it sent ${method} ${url}`,
    );
  });
  await promise('does not follow a redirect', async () => {
    const answer = await get('/redirect', { method: 'POST', body: base64('secret') });
    must(answer.status === 307 && answer.headers.location === '/target', `status ${answer.status}`);
    must(!seen.some(({ url }) => url === '/target'), 'it went there');
  });
  await promise('keeps no cookie and shows none', async () => {
    const answer = await get('/cookie');
    must(!('set-cookie' in answer.headers), 'it shows a cookie');
    await get('/cookie');
    must(seen.at(-1).headers.cookie === undefined, 'it sent a cookie');
  });
  await promise('decodes gzip', async () => {
    must((await readAll(await get('/gzip'))).toString() === 'zipped', 'it is another body');
  });
  await promise(
    'says network_error when a body breaks off, and never that this is all',
    async () => {
      for (const path of ['/short', '/short?chunked']) {
        const params = { method: 'GET', url: origin + path, headers: {} };
        const { result, error } = await call('http.request', params);
        if (error) must(error.data?.code === 'network_error', `it said ${show(error)}`);
        else await breaksOff(path, result);
      }
    },
  );
  await promise('opens no body for an answer that has none, nor for a short one', async () => {
    // On a busy machine the end may come too late, though not every time.
    const isWhole = async (path) => (await get(path)).more === null;
    await until(() => isWhole('/empty'), 'every answer without a body opened one');
    await until(() => isWhole('/pot'), 'every short answer needed more than one message');
  });
  await promise('gives a long body in pieces, each in a message that is short enough', async () => {
    must(
      (await readAll(await get('/long'))).equals(Buffer.alloc(3_000_000, 'long ')),
      'it is another body',
    );
  });
  await promise(
    'gives what has come so far, and frees the socket when nobody reads on',
    async () => {
      const answer = await get('/hang');
      must(answer.more !== null, 'it says that this is all');
      await ask('body.close', { body: answer.more });
      await isClosed('/hang');
      await ask('body.close', { body: answer.more });
    },
  );
  await promise('answers when the headers are there, though no byte follows', async () => {
    const { status, body, more } = await get('/headers', {}, PATIENCE_MS);
    must(status === 200 && body === '' && more !== null, show({ status, body, more }));
    await ask('body.close', { body: more });
    await isClosed('/headers');
  });
  await promise('stops a request that is withdrawn', async () => {
    const count = seen.length;
    const id = send('http.request', { method: 'GET', url: `${origin}/silent`, headers: {} });
    await until(() => seen.length > count, 'it sent nothing', LIMIT_MS);
    withdrawn.add(id);
    withdraw(id);
    await isClosed('/silent');
  });
  await promise('closes the body of a read that is withdrawn', async () => {
    const answer = await get('/hang');
    must(answer.more !== null, 'it says that this is all');
    if (answer.body === '') await ask('body.read', { body: answer.more });
    const id = send('body.read', { body: answer.more });
    await ask('hello', { protocol: 1 });
    withdrawn.add(id);
    withdraw(id);
    await isClosed('/hang', 2);
    await refuse('body.read', { body: answer.more }, -32602);
  });
  await promise('answers what was withdrawn with aborted, or not at all', async () => {
    await ask('hello', { protocol: 1 });
    for (const id of withdrawn) {
      const told = said.find(answerTo(id));
      must(!told || told.error?.data?.code === 'aborted', `it answered ${show(told)}`);
    }
  });
  await promise('keeps its messages as short as the panel wants them', async () => {
    const from = said.length;
    await load();
    await ask('hello', { protocol: 1, maxMessageBytes: 8_192 });
    const body = await readAll(await get('/medium'));
    must(body.equals(Buffer.alloc(100_000, 'medium ')), 'it is another body');
    const longest = Math.max(...lengths.slice(from));
    must(longest <= 8_192, `one of them has ${longest} bytes`);
    await load();
    await ask('hello', { protocol: 1 });
  });
  await promise('sends nowhere but https, and http on loopback', async () => {
    const count = seen.length;
    for (const url of [
      'file:///etc/passwd',
      'ftp://x.example/',
      'http://as.example/',
      `http://user:pw@127.0.0.1:${server.address().port}/`,
      'data:text/plain,x',
      '/pot',
      '',
      7,
    ]) {
      await refuse('http.request', { method: 'GET', url, headers: {} }, -32602);
    }
    await refuse(
      'http.request',
      { method: 'GET', url: `${origin}/`, headers: { a: 'b\r\nc: d' } },
      -32602,
    );
    await refuse(
      'http.request',
      { method: 'GET', url: `${origin}/`, headers: {}, body: '***' },
      -32602,
    );
    must(seen.length === count, 'it sent one of them');
  });
  await promise('says network_error when nobody answers, and quotes nothing', async () => {
    const free = net.createServer().listen(0, '127.0.0.1');
    await new Promise((done) => free.on('listening', done));
    const { port } = free.address();
    await new Promise((done) => free.close(done));
    const secret = random();
    const params = {
      method: 'POST',
      url: `http://127.0.0.1:${port}/?q=${secret}`,
      headers: { authorization: secret },
      body: base64(secret),
    };
    const error = await refuse('http.request', params, 'network_error');
    must(!JSON.stringify(error).includes(secret), 'the error holds what was sent');
  });
  await promise('takes a longer upload in pieces, where it takes any', async () => {
    const piece = Buffer.alloc(300_000, 'p');
    const { result, error } = await call('body.write', { body: null, data: base64(piece) });
    if (error?.code === -32601) return 'it takes none';
    must(typeof result?.body === 'string', show(error));
    await ask('body.write', { body: result.body, data: base64(piece) });
    await get('/up', { method: 'PUT', upload: result.body });
    must(seen.at(-1).body.equals(Buffer.concat([piece, piece])), 'it sent another body');
    await refuse('body.write', { body: random(), data: base64(piece) }, -32602);
    return '';
  });
  await promise(
    'keeps no upload: a request uses it up, refused or not, and it can be closed',
    async () => {
      const data = base64('piece');
      const { result, error } = await call('body.write', { body: null, data });
      if (error?.code === -32601) return 'it takes none';
      const upload = result?.body;
      const params = { method: 'PUT', url: 'file:///etc/passwd', headers: {}, upload };
      await refuse('http.request', params, -32602);
      await refuse('body.write', { body: upload, data }, -32602);
      const other = (await ask('body.write', { body: null, data })).body;
      await ask('body.close', { body: other });
      await refuse('body.write', { body: other, data }, -32602);
      return '';
    },
  );
  await promise('knows only its own bodies', async () => {
    await refuse('body.read', { body: random() }, -32602);
  });
  server.closeAllConnections();
  server.close();
});

section('store', 'store', async () => {
  const name = random();
  const value = async (key) => (await ask('store.get', { key })).value;
  const keys = [
    'a',
    'A',
    'a ',
    'a/b',
    '../../x',
    '/etc/x',
    '__proto__',
    'constructor',
    'con',
    'ż',
    '%2e',
    'k'.repeat(990),
  ].map((key) => key + name);
  await promise('has null for what was never stored', async () => {
    for (const key of [name, '__proto__', 'constructor'])
      must((await value(key)) === null, `${key} is ${show(await value(key))}`);
  });
  await promise('gives back every text as it was, and the last of it', async () => {
    for (const text of [
      '',
      ' \r\n\t ',
      '{"a":"\\"\u2028"}',
      'żółć 建築 🏗\u0301',
      '\ufeffa',
      'x'.repeat(262_144),
    ]) {
      await ask('store.set', { key: name, value: text });
      must((await value(name)) === text, `${show(text)} became ${show(await value(name))}`);
    }
  });
  await promise('keeps apart what looks alike, and stays in its own place', async () => {
    for (const key of keys) await ask('store.set', { key, value: `value of ${key}` });
    for (const key of keys)
      must((await value(key)) === `value of ${key}`, `${show(key)} is ${show(await value(key))}`);
  });
  await promise('removes, also what is not there', async () => {
    for (const key of [...keys, name, name]) await ask('store.remove', { key });
    for (const key of keys) must((await value(key)) === null, `${show(key)} is still there`);
  });
  await promise('takes operations on one key in their order', async () => {
    const sets = Array.from({ length: 20 }, (_, i) =>
      ask('store.set', { key: name, value: String(i) }),
    );
    const last = value(name);
    await Promise.all(sets);
    must((await last) === '19', `it is ${show(await last)}`);
  });
  await promise('keeps it when the page is loaded anew', async () => {
    await load();
    must((await value(name)) === '19', `it is ${show(await value(name))}`);
    await ask('store.remove', { key: name });
  });
  await promise('refuses keys and values that are none, or too long', async () => {
    for (const params of [{}, { key: 7 }, { key: null }, { key: 'k'.repeat(1_025) }])
      await refuse('store.get', params, -32602);
    for (const text of [undefined, 7, null, 'x'.repeat(262_145)])
      await refuse('store.set', { key: name, value: text }, -32602);
    must((await value(name)) === null, 'it stored one of them');
  });
  await promise('says whether it could be written to', () => ask('store.ready', {}).then(() => ''));
  await promise('watches a key, or says that it cannot', async () => {
    const { error } = await call('store.watch', { key: name });
    if (error) must(error.code === -32601, show(error));
    else await ask('store.unwatch', { key: name });
    return error ? 'it cannot' : '';
  });
});

const STATES = [
  'idle',
  'restoring',
  'signedOut',
  'authorizing',
  'exchanging',
  'signedIn',
  'refreshing',
  'degraded',
  'signingOut',
];

section('session', 'session', async () => {
  await promise('tells where the session is', async () => {
    const { seq, state } = await ask('session.state', {});
    must(Number.isInteger(seq) && seq >= 0, `seq ${show(seq)}`);
    must(STATES.includes(state?.name), `state ${show(state)}`);
    must(
      state.name === 'signedOut' &&
        ['never', 'signedOut', 'rejected', 'damaged'].includes(state.reason),
      `to begin with nobody is to be signed in: ${show(state)}`,
    );
  });
  await promise('lends no token while nobody is signed in, whatever is asked for', async () => {
    for (const params of [
      {},
      { account: 'other' },
      { scopes: ['admin'], account: '*' },
      { minValidityMs: 1 },
    ]) {
      await refuse('session.getAccessToken', params, ['sign_in_required', -32601]);
    }
  });
  await promise('has no way to a refresh token, a code or a secret', async () => {
    for (const verb of [
      'getRefreshToken',
      'refreshToken',
      'tokens',
      'getTokens',
      'export',
      'beginSignIn',
      'restore',
      'share',
      'constructor',
    ]) {
      await refuse(`session.${verb}`, {}, -32601);
    }
  });
  await promise('refuses what is pasted while no sign-in waits, or is too long', async () => {
    await refuse('session.completeSignIn', { text: 'https://x.example/?code=c' }, [
      'malformed_response',
      'sign_in_required',
      'sign_in_cancelled',
    ]);
    for (const params of [{}, { text: 7 }, { text: 'x'.repeat(16_385) }])
      await refuse('session.completeSignIn', params, -32602);
  });
  await promise(
    'sends nothing for a panel that is not signed in, and never out of its API',
    async () => {
      await refuse(
        'session.request',
        { method: 'GET', path: 'x', query: {}, headers: {} },
        'sign_in_required',
      );
      for (const path of ['https://evil.example/x', '//evil.example/x', '../../../x']) {
        await refuse('session.request', { method: 'GET', path, query: {}, headers: {} }, [
          'sign_in_required',
          'api_url_untrusted',
          'configuration_error',
          -32602,
        ]);
      }
      for (const params of [{}, { method: 'GET' }, { method: 'GET', path: 7 }]) {
        await refuse('session.request', params, -32602);
      }
    },
  );
  await promise(
    'signs out, also who is not signed in, and tells every change in order',
    async () => {
      const { seq } = await ask('session.state', {});
      const from = said.length;
      await ask('session.signOut', {});
      const { seq: last, state } = await ask('session.state', {});
      must(state.name === 'signedOut', `state ${show(state)}`);
      const told = said
        .slice(from)
        .filter((each) => each.method === 'session.changed')
        .map(({ params }) => params);
      const expected = Array.from({ length: last - seq }, (_, i) => seq + 1 + i);
      must(
        show(told.map((each) => each.seq)) === show(expected),
        `it told ${show(told.map((each) => each.seq))} of ${show(expected)}`,
      );
      for (const each of told) {
        must(
          STATES.includes(each.from) &&
            STATES.includes(each.to) &&
            typeof each.event === 'string' &&
            isObject(each.state),
          show(each),
        );
      }
    },
  );
  await promise('tells the state to a page that is loaded anew', async () => {
    await load();
    must((await ask('session.state', {})).state.name === 'signedOut', 'it is another state');
  });
});

section('the end', null, async () => {
  await promise('never answered what it had to drop, and said nothing else on stdout', async () => {
    const late = said.find((each) => never.has(each?.id));
    must(!late, `it answered ${show(late)}`);
    must(unreadable.length === 0, `it said ${show(unreadable[0])}`);
  });
  await promise('every message from it carried its nonce', async () => {
    const bare = said.find(
      (each) => !each?.control && !/^[\w-]{22,128}$/.test(String(each?.nonce)),
    );
    must(!bare, `it said ${show(bare)}`);
  });
  await promise('ends when nobody is there any more', async () => {
    child.stdin.end();
    let timer;
    const late = new Promise((done) => (timer = setTimeout(done, PATIENCE_MS, 'late')));
    const how = await Promise.race([exited, late]);
    clearTimeout(timer);
    must(how !== 'late', 'it still runs');
  });
});

// -----------------------------------------------------------------------------------------------------------------------

try {
  ({ nonce } = await hear(
    'a first line with a nonce',
    (each) => each.control === 'nonce',
    0,
    START_MS,
  ));
  must(/^[\w-]{22,128}$/.test(nonce), `a nonce of another form: ${show(nonce)}`);
} catch (error) {
  console.error(`The host did not begin: ${error.message}`);
  child.kill();
  process.exit(isOver ? 2 : 1);
}
const isAskedFor = (name) => !only || name === 'the end' || only.includes(name);
if (!isAskedFor('messages')) {
  await promise('says hello', async () => {
    ({ offers } = await ask('hello', { protocol: 1 }));
    must(Array.isArray(offers), `offers ${show(offers)}`);
  });
}
for (const { name, offer, play } of sections) {
  if (isOver && name !== 'the end') continue;
  if (!isAskedFor(name) || (offer && !offers?.includes(offer))) {
    results.left.push(name);
    continue;
  }
  console.log(name);
  await play().catch((error) => {
    results.broken += 1;
    console.log(`  ✗ could not go on\n      ${error.message}`);
  });
}
if (!isOver) child.kill();
const { kept, broken, left } = results;
const rest = left.length
  ? `; not tried, because not offered or not asked for: ${left.join(', ')}`
  : '';
console.log(`\n${kept} promises kept, ${broken} broken${rest}`);
process.exit(broken > 0 ? 1 : 0);
