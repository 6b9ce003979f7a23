import { transformFileSync } from '@swc/core';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { Server, connect, createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createLoopbackUserAgent } from '../../../adapters/node/user-agent.js';
import { systemClock } from '../../../adapters/web/system-clock.js';
import { MortiseError } from '../../../src/errors.js';
import type { RedirectOutcome, RedirectRule } from '../../../src/ports/index.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { describeUserAgent } from '../../support/user-agent-contract.js';

const ANY: RedirectRule = { loopback: '127.0.0.1', path: '/callback', ports: 'any' };
const LOCALHOST: RedirectRule = { ...ANY, loopback: 'localhost' };
const SIGNED_IN: RedirectOutcome = { kind: 'signedIn' };
const DENIED: RedirectOutcome = { kind: 'failed', error: new MortiseError('access_denied', {}) };

interface Answer {
  readonly status: number;
  readonly location: string;
  readonly body: string;
  readonly head: string;
}

/** Sends bytes as they are and reads until the server has closed. */
function sendRaw(port: number, bytes: string, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(port, host, () => socket.write(bytes, 'latin1'));
    socket.on('data', (data) => (received += data.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}

/** What a browser, without its headers, would get. Follows nothing. */
function load(url: string, options: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (data) => (body += data));
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        const head = JSON.stringify(headers);
        resolve({ status, location: headers.location ?? '', body, head });
      });
    }).on('error', reject);
  });
}

const statusOf = (received: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 0);
const portOf = (uri: string) => Number(new URL(uri).port);

/** Another program that holds a port. */
function squat(host: string, port = 0): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject).listen({ host, port, exclusive: true }, () => resolve(server));
  });
}
const portOfServer = (server: Server) => Number(Object(server.address()).port);
const leave = (server: Server) => new Promise<unknown>((done) => server.close(done));

const isFree = (host: string, port: number) =>
  squat(host, port).then(
    (server) => leave(server).then(() => true),
    () => false,
  );

/** A machine on which binding `host` fails, as far as `times` goes. */
function failListening(host: string, code: string, times = Infinity) {
  const { listen } = Server.prototype;
  return jest.spyOn(Server.prototype, 'listen').mockImplementation(function (
    this: Server,
    ...args: unknown[]
  ) {
    if (Object(args[0]).host === host && times-- > 0) {
      setImmediate(() => this.emit('error', Object.assign(new Error(code), { code })));
      return this;
    }
    return Reflect.apply(listen, this, args);
  });
}

let over: AbortController;
let arrived: string[];
let outcome: (redirectUrl: string) => Promise<RedirectOutcome>;
let clock = systemClock;

const open = (redirect: RedirectRule = ANY, texts = {}) =>
  createLoopbackUserAgent({ openBrowser: async () => {}, texts, clock }).open({
    redirect,
    signal: over.signal,
    onRedirect: (redirectUrl) => {
      arrived.push(redirectUrl);
      return outcome(redirectUrl);
    },
    onWindow() {},
  });

beforeEach(() => {
  over = new AbortController();
  arrived = [];
  outcome = async () => ({ kind: 'ignored' });
  clock = systemClock;
});

afterEach(() => {
  over.abort();
  jest.restoreAllMocks();
});

describeUserAgent('the loopback user agent', async () => {
  const addresses: string[] = [];
  let isBroken = false;
  return {
    redirect: LOCALHOST,
    userAgent: createLoopbackUserAgent({
      clock: systemClock,
      async openBrowser(url) {
        if (isBroken) throw new Error(`spawn xdg-open ENOENT ${url}`);
        addresses.push(url);
      },
    }),
    shown: () => addresses,
    breakNavigation: () => (isBroken = true),
    land: (redirectUrl) => load(redirectUrl),
    isFree: async (uri) => (await isFree('127.0.0.1', portOf(uri))) && isFree('::1', portOf(uri)),
  };
});

describe('the port', () => {
  // prettier-ignore
  test.each<[string, RedirectRule, RegExp, string[]]>([
    ['127.0.0.1, any port',    ANY,                                                    /^http:\/\/127\.0\.0\.1:\d+\/callback$/, ['127.0.0.1']],
    ['localhost, any port',    LOCALHOST,                                              /^http:\/\/localhost:\d+\/callback$/,    ['127.0.0.1', '::1']],
    ['no path, no slash',      { loopback: 'localhost', path: '', ports: 'any' },      /^http:\/\/localhost:\d+$/,              ['127.0.0.1', '::1']],
    ['an exact list',          ['https://app.example/cb', 'http://[::1]:41873/a?b=c'], /^http:\/\/\[::1\]:41873\/a\?b=c$/,      ['::1']],
    ['spelled its own way',    ['http://LocalHost:41874/cb'],                          /^http:\/\/LocalHost:41874\/cb$/,        ['127.0.0.1', '::1']],
  ])('case 41: %s: the redirect URI is exact and only loopback is bound', async (_, rule, uri, hosts) => {
    const listen = jest.spyOn(Server.prototype, 'listen');
    const visit = await open(rule);
    expect(visit.redirectUri).toMatch(uri);
    const bound = listen.mock.calls.map(([options]) => options);
    expect(bound).toEqual(hosts.map((host) => expect.objectContaining({ host, exclusive: true })));
    for (const host of hosts) expect(await isFree(host, portOf(visit.redirectUri))).toBe(false);
    for (const { address, internal } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
      if (!internal) expect(await sendRaw(portOf(visit.redirectUri), 'GET / HTTP/1.1\r\n\r\n', address)).toBe('');
    }
    await visit.close();
  });

  test('case 41: a path that is empty is answered at the slash, where browsers send it', async () => {
    const visit = await open({ loopback: 'localhost', path: '', ports: 'any' });
    await load(`${visit.redirectUri}?code=c`);
    expect(arrived).toEqual([`${visit.redirectUri}/?code=c`]);
  });

  test('case 42: localhost answers on both addresses', async () => {
    const port = portOf((await open(LOCALHOST)).redirectUri);
    for (const host of ['127.0.0.1', '::1']) {
      const request = `GET /callback?from=${host} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`;
      expect(statusOf(await sendRaw(port, request, host))).toBe(400);
    }
    expect(arrived).toHaveLength(2);
  });

  test.each(['::1', '127.0.0.1'])('case 42: [%s] in another hand: the next port', async (host) => {
    const squatter = await squat(host);
    const free = await squat('127.0.0.1');
    const ports = [portOfServer(squatter), portOfServer(free)];
    await leave(free);
    const visit = await open({ ...LOCALHOST, ports });
    expect(portOf(visit.redirectUri)).toBe(ports[1]);
    await leave(squatter);
    for (const address of ['127.0.0.1', '::1'])
      expect(await isFree(address, ports[0] ?? 0)).toBe(true);
  });

  test('case 42: [::1] in another hand: another of any ports, and the first is given back', async () => {
    const listen = failListening('::1', 'EADDRINUSE', 3);
    const visit = await open(LOCALHOST);
    expect(listen).toHaveBeenCalledTimes(8);
    for (const { value } of listen.mock.results.slice(0, -2)) expect(value.listening).toBe(false);
    await visit.close();
  });

  test('case 42: any port is tried 20 times, then it is an error', async () => {
    failListening('::1', 'EADDRINUSE');
    await expect(open(LOCALHOST)).rejects.toMatchObject({
      code: 'redirect_port_in_use',
      details: { ports: [] },
    });
  });

  test.each([
    ['ports', (ports: number[]): RedirectRule => ({ ...ANY, ports })],
    ['exact URIs', (ports: number[]) => ports.map((port) => `http://127.0.0.1:${port}/cb`)],
  ])('case 43: all %s taken is redirect_port_in_use, and names them', async (_, rule) => {
    const squatters = [await squat('127.0.0.1'), await squat('127.0.0.1')];
    const ports = squatters.map(portOfServer);
    await expect(open(rule(ports))).rejects.toMatchObject({
      code: 'redirect_port_in_use',
      details: { ports },
    });
    await Promise.all(squatters.map(leave));
  });

  test('case 43: two sign-ins never share a port', async () => {
    const { redirectUri } = await open(LOCALHOST);
    await expect(open([redirectUri])).rejects.toMatchObject({ code: 'redirect_port_in_use' });
  });

  test('case 43: a port that needs privileges is as good as taken', async () => {
    failListening('127.0.0.1', 'EACCES', 1);
    const visit = await open(['http://127.0.0.1/cb', 'http://127.0.0.1:41875/cb']);
    expect(visit.redirectUri).toBe('http://127.0.0.1:41875/cb');
  });

  test.each(
    ['127.0.0.1', '::1'].flatMap((host) =>
      ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'].map((code) => [host, code] as const),
    ),
  )('case 44: a machine without %s (%s) signs in on the other', async (host, code) => {
    failListening(host, code);
    const port = portOf((await open(LOCALHOST)).redirectUri);
    const other = host === '::1' ? '127.0.0.1' : '::1';
    await sendRaw(port, `GET /callback HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`, other);
    expect(arrived).toHaveLength(1);
  });

  test('case 44: a machine without either is an error, not a hang', async () => {
    jest.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server) {
      setImmediate(() => this.emit('error', Object.assign(new Error(), { code: 'EADDRNOTAVAIL' })));
      return this;
    });
    await expect(open(LOCALHOST)).rejects.toMatchObject({ code: 'redirect_port_in_use' });
  });

  // prettier-ignore
  test.each<[string, RedirectRule]>([
    ['no URI',                   []],
    ['no port',                  { ...ANY, ports: [] }],
    ['no such port',             { ...ANY, ports: [65_536, -1, 1.5, Number.NaN] }],
    ['a path into the host',     { ...ANY, path: '@app.example/' }],
    ['a path into the port',     { ...ANY, ports: [4187], path: '3/cb' }],
    ['a path of a fragment',     { ...ANY, path: '/cb#x' }],
    ['https',                    ['https://localhost:41873/cb']],
    ['another host',             ['http://app.example:41873/cb', 'http://127.0.0.1.app.example/', 'http://constructor/']],
    ['all interfaces',           ['http://0.0.0.0:41873/cb', 'http://[::]:41873/cb']],
    ['user and password',        ['http://a@localhost:41873/cb', 'http://:b@localhost:41873/cb']],
    ['port zero',                ['http://localhost:0/cb']],
    ['a path of another host',   ['http://localhost:41873//app.example/cb']],
    ['no URL',                   ['localhost:41873/cb', '', 'http://localhost:99999/']],
  ])('%s is a configuration_error before anything is bound', async (_, rule) => {
    const listen = jest.spyOn(Server.prototype, 'listen');
    await expect(open(rule)).rejects.toMatchObject({ code: 'configuration_error' });
    expect(listen).not.toHaveBeenCalled();
  });
});

describe('a request', () => {
  let port: number;
  beforeEach(async () => {
    port = portOf((await open()).redirectUri);
  });

  /** A valid redirect still arrives, and it is the only one that did. */
  async function expectUntouched() {
    expect(arrived).toEqual([]);
    await load(`http://127.0.0.1:${port}/callback?code=c&state=s`);
    expect(arrived).toEqual([`http://127.0.0.1:${port}/callback?code=c&state=s`]);
  }

  const HOST = 'Host: 127.0.0.1:PORT\r\n';
  const GET = `GET /callback?code=x HTTP/1.1\r\n`;

  // prettier-ignore
  test.each([
    ['case 48: another host',                `${GET}Host: evil.example\r\n\r\n`,                          421],
    ['case 48: another host, our port',      `${GET}Host: evil.example:PORT\r\n\r\n`,                     421],
    ['case 48: localhost for 127.0.0.1',     `${GET}Host: localhost:PORT\r\n\r\n`,                        421],
    ['case 48: no port',                     `${GET}Host: 127.0.0.1\r\n\r\n`,                             421],
    ['case 48: a user before the host',      `${GET}Host: 127.0.0.1:PORT@evil.example\r\n\r\n`,           421],
    ['case 48: an empty host',               `${GET}Host:\r\n\r\n`,                                       421],
    ['case 48: no host',                     `${GET}\r\n`,                                                400],
    ['case 48: no host in HTTP/1.0',         `GET /callback HTTP/1.0\r\n\r\n`,                            400],
    ['case 48: two hosts',                   `${GET}${HOST}Host: evil.example\r\n\r\n`,                   400],
    ['case 48: our host twice',              `${GET}${HOST}${HOST}\r\n`,                                  400],
    ['case 48: absolute form',               `GET http://127.0.0.1:PORT/callback HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['case 48: absolute form of another',    `GET http://evil.example/callback HTTP/1.1\r\n${HOST}\r\n`,  400],
    ['case 48: two slashes',                 `GET //evil.example/callback HTTP/1.1\r\n${HOST}\r\n`,       400],
    ['case 48: an asterisk',                 `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,                         400],
    ['case 48: a fragment',                  `GET /callback#code=x HTTP/1.1\r\n${HOST}\r\n`,              400],
    ['case 48: bytes beyond ASCII',          `GET /callback?code=\xe4 HTTP/1.1\r\n${HOST}\r\n`,           400],
    ['case 50: POST',                        `POST /callback HTTP/1.1\r\n${HOST}\r\n`,                    405],
    ['case 50: POST of a form',              `POST /callback HTTP/1.1\r\n${HOST}Content-Length: 6\r\n\r\ncode=x`, 405],
    ['case 50: HEAD',                        `HEAD /callback?code=x HTTP/1.1\r\n${HOST}\r\n`,             405],
    ['case 50: PUT',                         `PUT /callback?code=x HTTP/1.1\r\n${HOST}\r\n`,              405],
    ['case 50: OPTIONS',                     `OPTIONS /callback HTTP/1.1\r\n${HOST}\r\n`,                 405],
    ['case 51: /favicon.ico',                `GET /favicon.ico HTTP/1.1\r\n${HOST}Sec-Fetch-Dest: image\r\n\r\n`, 404],
    ['case 51: /robots.txt',                 `GET /robots.txt HTTP/1.1\r\n${HOST}\r\n`,                   404],
    ['case 51: /',                           `GET / HTTP/1.1\r\n${HOST}\r\n`,                             404],
    ['case 51: a longer path',               `GET /callback/ HTTP/1.1\r\n${HOST}\r\n`,                    404],
    ['case 51: the path in other letters',   `GET /Callback HTTP/1.1\r\n${HOST}\r\n`,                     404],
    ['case 51: the result before there is one', `GET /callback/signed-in HTTP/1.1\r\n${HOST}\r\n`,        404],
    ['case 51: a prefetch',                  `${GET}${HOST}Purpose: prefetch\r\n\r\n`,                    403],
    ['case 51: a prerender',                 `${GET}${HOST}Sec-Purpose: prefetch;prerender\r\n\r\n`,      403],
    ['a page: an image',                     `${GET}${HOST}Sec-Fetch-Dest: image\r\n\r\n`,                403],
    ['a page: a fetch',                      `${GET}${HOST}Sec-Fetch-Dest: empty\r\n\r\n`,                403],
    ['a page: a frame',                      `${GET}${HOST}Sec-Fetch-Dest: iframe\r\n\r\n`,               403],
    ['a page: two destinations',             `${GET}${HOST}Sec-Fetch-Dest: document\r\nSec-Fetch-Dest: image\r\n\r\n`, 403],
    ['case 53: a target of 20 KB',           `GET /callback?code=${'x'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 431],
    ['case 53: 500 headers',                 `${GET}${HOST}${'x: y\r\n'.repeat(500)}\r\n`,                431],
    ['case 53: a GET with a body',           `${GET}${HOST}Content-Length: 3\r\n\r\nabc`,                 413],
    ['case 53: a GET in chunks',             `${GET}${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,  413],
    ['case 55: length and chunks',           `${GET}${HOST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['case 55: two lengths',                 `${GET}${HOST}Content-Length: 0\r\nContent-Length: 5\r\n\r\n`, 400],
    ['case 55: a length of another base',    `${GET}${HOST}Content-Length: 0x0\r\n\r\n`,                  400],
    ['case 55: bare LF',                     `GET /callback?code=x HTTP/1.1\nHost: 127.0.0.1:PORT\n\n`,   400],
    ['case 55: bare LF between headers',     `${GET}A: b\n${HOST}\r\n`,                                   400],
    ['case 55: a folded header',             `${GET}${HOST}A: b\r\n c\r\n\r\n`,                           400],
    ['case 55: a blank before the colon',    `${GET}Host : 127.0.0.1:PORT\r\n\r\n`,                       400],
    ['case 55: NUL in a header',             `${GET}${HOST}A: \0\r\n\r\n`,                                400],
    ['case 55: HTTP/0.9',                    `GET /callback?code=x\r\n\r\n`,                              505],
    ['case 55: HTTP/2.0',                    `GET /callback?code=x HTTP/2.0\r\n${HOST}\r\n`,              505],
    ['case 55: TLS',                         '\x16\x03\x01\x02\x00\x01\x00',                              400],
  ])('%s is refused, and the sign-in goes on', async (_, bytes, status) => {
    const received = await sendRaw(port, bytes.replaceAll('PORT', String(port)));
    expect([received.slice(0, 60), statusOf(received)]).toEqual([expect.anything(), status]);
    expect(received.toLowerCase()).toContain('connection: close');
    if (status === 405) expect(received).toContain('Allow: GET');
    await expectUntouched();
  });

  test('case 50: a redirect by navigation is taken, as is one from a browser that tells nothing', async () => {
    const headers = {
      'Sec-Fetch-Dest': 'document',
      'Sec-Fetch-Mode': 'navigate',
      'Sec-Fetch-Site': 'cross-site',
    };
    await load(`http://127.0.0.1:${port}/callback?n=1`, { headers });
    await fetch(`http://127.0.0.1:${port}/callback?n=2`);
    expect(arrived).toHaveLength(2);
  });

  test('case 53: a GET with a body of 100 MB is cut', async () => {
    const sent = await new Promise<number>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      const piece = Buffer.alloc(64 * 1024);
      const pour = () => {
        while (!socket.destroyed && socket.bytesWritten < 100_000_000 && socket.write(piece));
      };
      socket.write(`${GET}Host: 127.0.0.1:${port}\r\nContent-Length: 100000000\r\n\r\n`);
      pour();
      socket
        .on('drain', pour)
        .on('error', () => {})
        .resume();
      socket.on('close', () => resolve(socket.bytesWritten));
    });
    expect(sent).toBeLessThan(20_000_000);
    await expectUntouched();
  });

  test.each(['1.1', '1.0'])(
    'case 55: a second request in the pipeline (HTTP/%s) is never looked at',
    async (version) => {
      const request = (code: string) =>
        `GET /callback?code=${code} HTTP/${version}\r\nHost: 127.0.0.1:${port}\r\nConnection: keep-alive\r\n\r\n`;
      const received = await sendRaw(port, request('first') + request('second'));
      expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(arrived).toEqual([`http://127.0.0.1:${port}/callback?code=first`]);
    },
  );

  test('case 55: rubbish behind a request gets no answer of its own', async () => {
    const received = await sendRaw(port, `${GET}Host: 127.0.0.1:${port}\r\n\r\n\0\0\0\0`);
    expect(received).not.toContain('200');
    expect(arrived.length).toBeLessThan(2);
  });

  test('case 56: a thousand wrong hits, and the sign-in goes on with no connection left', async () => {
    for (let round = 0; round < 20; round += 1) {
      const hits = Array.from({ length: 50 }, (_, hit) =>
        sendRaw(
          port,
          hit % 2 ? `GET /${round}/${hit} HTTP/1.1\r\nHost: x\r\n\r\n` : `${hit}\r\n\r\n`,
        ),
      );
      expect((await Promise.all(hits)).every((received) => statusOf(received) >= 400)).toBe(true);
    }
    await expectUntouched();
  });
});

describe('the outcome', () => {
  const CANARY = /canary/i;
  const QUERY =
    '?code=canary-code&state=canary-state&next=https://evil.example/&error_description=<img/onerror=canary>';

  const CASES: [string, RedirectOutcome, RegExp, RegExp][] = [
    ['signedIn', SIGNED_IN, /\/callback\/signed-in$/, /<h1>Signed in<\/h1>/],
    ['failed', DENIED, /\/callback\/not-signed-in$/, /<h1>Not signed in<\/h1>[^]*choose Allow/],
  ];

  test.each(CASES)(
    '%s is shown under a clean address (cases 58, 59)',
    async (_, result, path, page) => {
      outcome = async () => result;
      const visit = await open();
      const answer = await load(visit.redirectUri + QUERY.replaceAll(/[<>]/g, ''));
      expect(answer).toMatchObject({
        status: 303,
        body: '',
        location: expect.stringMatching(path),
      });
      expect(new URL(answer.location).origin).toBe(new URL(visit.redirectUri).origin);
      const shown = await load(answer.location);
      expect(shown).toMatchObject({ status: 200, body: expect.stringMatching(page) });
      for (const text of [answer.location, answer.head, shown.head, shown.body])
        expect(text).not.toMatch(CANARY);
      expect(shown.body).not.toContain('evil.example');
    },
  );

  test('ignored is a plain 400 that tells nothing, and does not say "signed in"', async () => {
    const visit = await open();
    const answer = await load(visit.redirectUri + QUERY.replaceAll(/[<>]/g, ''));
    expect(answer).toMatchObject({ status: 400, location: '' });
    expect(answer.head + answer.body).not.toMatch(/canary|signed in|evil/i);
  });

  test('case 52: a reload, a second tab, an antivirus: the same harmless answer', async () => {
    outcome = async () => SIGNED_IN;
    const visit = await open();
    const answers = await Promise.all([1, 2, 3].map(() => load(`${visit.redirectUri}?code=c`)));
    expect(new Set(answers.map(({ location }) => location)).size).toBe(1);
    const pages = await Promise.all(answers.map(({ location }) => load(location)));
    expect(new Set(pages.map(({ body }) => body)).size).toBe(1);
  });

  test('case 60: nothing is said before the outcome is known', async () => {
    let decide = (_: RedirectOutcome) => {};
    outcome = () => new Promise((resolve) => (decide = resolve));
    const visit = await open();
    let isAnswered = false;
    const answer = load(`${visit.redirectUri}?code=c`).finally(() => (isAnswered = true));
    while (arrived.length === 0) await settle();
    await settle();
    expect(isAnswered).toBe(false);
    expect(await load(`${visit.redirectUri}/signed-in`)).toMatchObject({ status: 404 });
    decide(DENIED);
    expect((await answer).location).toMatch(/not-signed-in$/);
    expect(await load(`${visit.redirectUri}/signed-in`)).toMatchObject({ status: 404 });
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('canary'))],
    [
      'throws',
      () => {
        throw new Error('canary');
      },
    ],
  ])(
    'whoever takes the redirect %s: a page all the same, and listening goes on',
    async (_, broken) => {
      outcome = broken;
      const visit = await open();
      const answer = await load(`${visit.redirectUri}?code=c`);
      expect(answer).toMatchObject({ status: 500, body: expect.stringContaining('Not signed in') });
      expect(answer.body).not.toMatch(CANARY);
      outcome = async () => SIGNED_IN;
      expect(await load(`${visit.redirectUri}?code=c`)).toMatchObject({ status: 303 });
    },
  );

  test('the author’s own words are shown', async () => {
    const visit = await open(ANY, {
      lang: 'de',
      refusedTitle: 'Hier ist nichts',
      goBack: undefined,
    });
    const { body } = await load(new URL('/', visit.redirectUri).href);
    expect(body).toMatch(/<html lang="de"[^]*Hier ist nichts[^]*You can close this tab/);
  });

  test.each(['/', '/signed-in', '/a/', ''])(
    'the result of a redirect to "%s" has another address',
    async (path) => {
      outcome = async () => SIGNED_IN;
      const visit = await open({ ...ANY, path });
      const { location } = await load(`${visit.redirectUri}?code=c`);
      expect(await load(location)).toMatchObject({ status: 200 });
      expect(arrived).toHaveLength(1);
    },
  );
});

describe('the end', () => {
  /** Whether it settled without any time passing. */
  async function isDone(work: Promise<unknown>) {
    let done = false;
    void work.then(() => (done = true));
    for (let round = 0; round < 20 && !done; round += 1) await settle();
    return done;
  }

  test('case 46: with nothing to show the port is free at once, whatever is connected', async () => {
    const fake = (clock = createFakeClock());
    const visit = await open();
    const port = portOf(visit.redirectUri);
    const sockets = [
      '',
      'GET /callback HTTP/1.1\r\nHo',
      'POST /callback HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n',
    ];
    const closed = sockets.map((bytes) => sendRaw(port, bytes));
    await new Promise((done) => setTimeout(done, 30));
    expect(await isDone(visit.close())).toBe(true);
    expect(await isFree('127.0.0.1', port)).toBe(true);
    await Promise.all(closed);
    expect(fake.pending).toBe(0);
  });

  test('case 46: the browser still gets the result, then the port is free at once', async () => {
    const fake = (clock = createFakeClock());
    outcome = async () => SIGNED_IN;
    const visit = await open();
    const { location } = await load(`${visit.redirectUri}?code=c`);
    const closed = visit.close();
    expect(await isDone(closed)).toBe(false);
    expect(await load(`${visit.redirectUri}?code=late`)).toMatchObject({ status: 400 });
    expect(arrived).toHaveLength(1);
    expect(await load(location)).toMatchObject({ status: 200 });
    await closed;
    expect(await isFree('127.0.0.1', portOf(visit.redirectUri))).toBe(true);
    expect(fake.pending).toBe(0);
  });

  test('case 46: an outcome that comes while closing is still shown', async () => {
    clock = createFakeClock();
    let decide = (_: RedirectOutcome) => {};
    outcome = () => new Promise((resolve) => (decide = resolve));
    const visit = await open();
    const answer = load(`${visit.redirectUri}?code=c`);
    while (arrived.length === 0) await settle();
    over.abort();
    decide(DENIED);
    expect(await load((await answer).location)).toMatchObject({ status: 200 });
    await visit.close();
  });

  test('case 46: a browser that never fetches the result is not waited for beyond 700 ms', async () => {
    const fake = (clock = createFakeClock());
    outcome = async () => SIGNED_IN;
    const visit = await open();
    await load(`${visit.redirectUri}?code=c`);
    const closed = visit.close();
    await fake.advance(699);
    expect(await isDone(closed)).toBe(false);
    await fake.advance(1);
    await closed;
    expect(await isFree('127.0.0.1', portOf(visit.redirectUri))).toBe(true);
  });

  test('case 46: a browser that has gone away is not waited for', async () => {
    clock = createFakeClock();
    outcome = () => new Promise(() => {});
    const visit = await open();
    const port = portOf(visit.redirectUri);
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /callback HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    while (arrived.length === 0) await settle();
    socket.destroy();
    await new Promise((done) => setTimeout(done, 30));
    expect(await isDone(visit.close())).toBe(true);
  });

  test('a browser that hangs, opens after the end or fails late disturbs nobody', async () => {
    let fail = (_: Error) => {};
    const openBrowser = () => new Promise<void>((_, reject) => (fail = reject));
    const agent = createLoopbackUserAgent({ openBrowser, clock });
    const visit = await agent.open({
      redirect: ANY,
      signal: over.signal,
      onRedirect: async () => SIGNED_IN,
      onWindow() {},
    });
    const navigated = expect(visit.navigate('https://as.example/')).rejects.toMatchObject({
      code: 'aborted',
    });
    await visit.close();
    await navigated;
    fail(new Error('too late'));
    await expect(visit.navigate('https://as.example/')).rejects.toMatchObject({ code: 'aborted' });
  });

  test.each([
    [
      'an error of its own',
      new Error('spawn ENOENT https://as.example/?state=canary'),
      'browser_not_opened',
    ],
    [
      'a MortiseError',
      new MortiseError('configuration_error', { problem: 'x' }),
      'configuration_error',
    ],
  ])('an opener that rejects with %s', async (_, reason, code) => {
    const openBrowser = () => Promise.reject(reason);
    const agent = createLoopbackUserAgent({ openBrowser, clock });
    const visit = await agent.open({
      redirect: ANY,
      signal: over.signal,
      onRedirect: async () => SIGNED_IN,
      onWindow() {},
    });
    const error = await visit.navigate('https://as.example/').catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'MortiseError', code });
    expect(JSON.stringify(error) + Object(error).stack).not.toContain('canary');
  });
});

describe('a process of its own', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mortise-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  beforeAll(() => {
    const folder = 'adapters/node';
    const own = readdirSync(folder).filter((name) => name.endsWith('.ts'));
    const files = [
      'src/errors.ts',
      'adapters/web/system-clock.ts',
      ...own.map((name) => join(folder, name)),
    ];
    for (const file of files) {
      const target = join(directory, file.replace(/ts$/, 'js'));
      mkdirSync(dirname(target), { recursive: true });
      const jsc = { parser: { syntax: 'typescript' }, target: 'es2022' } as const;
      writeFileSync(target, transformFileSync(file, { jsc, swcrc: false }).code);
    }
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  });

  /** Runs `script` with an open visit, calls back with its redirect URI, resolves when it has exited. */
  function run(script: string, onUri: (uri: string) => Promise<unknown>, env = {}) {
    const program = `
      import { createLoopbackUserAgent } from './adapters/node/user-agent.js';
      import { systemClock as clock } from './adapters/web/system-clock.js';
      const over = new AbortController();
      let redirected;
      const arrival = new Promise((resolve) => (redirected = resolve));
      const agent = createLoopbackUserAgent({ clock, openBrowser: async () => {} });
      const visit = await agent.open({
        redirect: { loopback: 'localhost', path: '/cb', ports: 'any' },
        signal: over.signal,
        onRedirect: async (url) => (redirected(url), { kind: 'signedIn' }),
      });
      console.log(visit.redirectUri);
      ${script}`;
    return new Promise<{ exitCode: number | null; stderr: string }>((resolve) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        cwd: directory,
        env: { ...process.env, NODE_OPTIONS: '', ...env },
      });
      let stderr = '';
      child.stdout.once('data', (data) => void onUri(String(data).trim()).catch(() => {}));
      child.stderr.on('data', (data) => (stderr += data));
      child.on('close', (exitCode) => resolve({ exitCode, stderr }));
    });
  }

  test.each([
    ['signed in', `await arrival; await visit.close();`, (uri: string) => load(`${uri}?code=c`)],
    ['closed', `await visit.close();`, async () => {}],
    ['aborted', `over.abort();`, async () => {}],
    [
      'closed, a browser connected',
      `setTimeout(visit.close, 100);`,
      (uri: string) => sendRaw(portOf(uri), ''),
    ],
  ])('case 46: %s, it exits by itself', async (_, script, onUri) => {
    expect(await run(script, onUri)).toEqual({ exitCode: 0, stderr: '' });
  });

  test('case 46: a sign-in that is waiting keeps the process; one that crashes frees the port', async () => {
    let port = 0;
    const { exitCode } = await run(
      `setTimeout(() => { throw new Error('crash'); }, 200).unref();`,
      async (uri) => {
        port = portOf(uri);
      },
    );
    expect(exitCode).toBe(1);
    expect((await isFree('127.0.0.1', port)) && (await isFree('::1', port))).toBe(true);
  });

  test('case 62: proxies in the environment do not concern the redirect', async () => {
    const proxy = 'http://127.0.0.1:9';
    const env = {
      HTTP_PROXY: proxy,
      HTTPS_PROXY: proxy,
      http_proxy: proxy,
      NODE_USE_ENV_PROXY: '1',
    };
    const onUri = async (uri: string) => load((await load(`${uri}?code=c`)).location);
    expect(await run(`await arrival; await visit.close();`, onUri, env)).toMatchObject({
      exitCode: 0,
    });
  });
});
