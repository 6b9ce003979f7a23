import { requestApi } from '../../../adapters/webview/panel/api-request.js';
import { headersOf } from '../../../adapters/webview/host/headers.js';
import { connectSession } from '../../../adapters/webview/panel/connect-session.js';
import { createPair, parsed, rpc } from './panel-pair.js';

const ask = { timeoutMs: 60_000 };
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test.each([
  ['x.open', 'visit', 'visit.close', 'visit'],
  ['x.open', 'more', 'body.close', 'body'],
  ['body.write', 'body', 'body.close', 'body'],
])('%s: a late answer that names a %s is answered with %s', async (asks, member, method, name) => {
  const pair = createPair();
  const bridge = pair.bridge();
  const leaving = new AbortController();
  const asked = bridge.request('http', asks, {}, { ...ask, signal: leaving.signal });
  const failed = expect(asked).rejects.toMatchObject({ code: 'aborted' });
  const hello = parsed(pair.toHost)[0];
  pair.inject(
    'panel',
    rpc(pair.nonce, { id: hello?.['id'], result: { protocol: 1, offers: ['http'] } }),
  );
  await settle();
  const { id } = parsed(pair.toHost)[1] ?? {};
  leaving.abort();
  await failed;
  const late = rpc(pair.nonce, { id, result: { [member]: 'n1' } });
  pair.inject('panel', late);
  pair.inject('panel', late);
  const closed = parsed(pair.toHost).filter((message) => message['method'] === method);
  expect(closed).toMatchObject([{ params: { [name]: 'n1' } }]);
  bridge.close();
});

test('bytes in a late answer are no name of anything', async () => {
  const pair = createPair();
  const bridge = pair.bridge();
  const leaving = new AbortController();
  const asked = bridge.request('http', 'http.request', {}, { ...ask, signal: leaving.signal });
  const failed = expect(asked).rejects.toMatchObject({ code: 'aborted' });
  const told = (id: unknown, result: object) =>
    pair.inject('panel', rpc(pair.nonce, { id, result }));
  told(parsed(pair.toHost)[0]?.['id'], { protocol: 1, offers: ['http'] });
  await settle();
  leaving.abort();
  await failed;
  told(parsed(pair.toHost)[1]?.['id'], { status: 200, headers: {}, body: 'aGk=', more: null });
  expect(parsed(pair.toHost).map(({ method }) => method)).toEqual([
    'hello',
    'http.request',
    'cancel',
  ]);
  bridge.close();
});

test('cookies stay at the host, whatever the case of their header', () => {
  expect(
    headersOf(
      new Map([
        ['Set-Cookie', 'a=1'],
        ['etag', 'x'],
      ]),
    ),
  ).toEqual({ etag: 'x' });
});

test('of a body that was decoded, neither encoding nor length is told', () => {
  const told = [
    ['Content-Encoding', 'gzip'],
    ['content-length', '20'],
    ['Content-Type', 'text/plain'],
  ] as const;
  expect(headersOf(new Map(told))).toEqual({ 'content-type': 'text/plain' });
  expect(headersOf(new Map(told.slice(1)))).toEqual({
    'content-length': '20',
    'content-type': 'text/plain',
  });
});

test('a request goes over the bridge as the protocol has it: texts, lower-case names, an upper-case method', async () => {
  const pair = createPair();
  const bridge = pair.bridge();
  const request = requestApi(bridge)({
    method: 'post',
    path: 'x',
    query: { limit: 10, deep: true, none: null, list: ['a', null, 2] },
    headers: { 'Content-Type': 'text/plain' },
    json: {},
  });
  request.catch(() => {});
  await settle();
  const hello = parsed(pair.toHost)[0];
  pair.inject(
    'panel',
    rpc(pair.nonce, { id: hello?.['id'], result: { protocol: 1, offers: ['session'] } }),
  );
  await settle();
  const sent = parsed(pair.toHost).find(({ method }) => method === 'session.request');
  expect(sent?.['params']).toMatchObject({
    method: 'POST',
    query: { limit: '10', deep: 'true', list: ['a', '2'] },
    headers: { 'content-type': 'text/plain' },
  });
  expect(Object.keys(Object(sent?.['params']).query)).not.toContain('none');
  bridge.close();
});

test('after close() a shared bridge starts no sign-in', async () => {
  const pair = createPair();
  const bridge = pair.bridge();
  const session = connectSession(bridge);
  session.close();
  await expect(session.signIn()).rejects.toMatchObject({ code: 'aborted' });
  bridge.close();
});
