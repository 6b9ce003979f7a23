// A page in a dialog of Office: nothing is sent before the handler is there that hears the answers.
import { officeDialogChannel, openBridge } from '../../../adapters/webview/index.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createPair, parsed, rpc } from './panel-pair.js';

const page = globalThis as Record<string, unknown>;
afterEach(() => void delete page['Office']);

/** A dialog whose Office answers when the test says so. */
function createWorld() {
  const sent: string[] = [];
  let hear: (event: { message: unknown }) => void = () => {};
  let done: (result: unknown) => void = () => {};
  let handlers = 0;
  const addHandlerAsync = (_: unknown, handler: typeof hear, callback: typeof done) => {
    handlers += 1;
    hear = handler;
    done = callback;
  };
  const messageParent = (text: string) => void sent.push(text);
  page['Office'] = { context: { ui: { messageParent, addHandlerAsync } } };
  const { nonce } = createPair();
  const clock = createFakeClock();
  const bridge = openBridge(officeDialogChannel({ clock }), { nonce, clock });
  const ask = () => bridge.request('store', 'store.get', { key: 'k' }, { timeoutMs: 1_000 });
  const answer = (id: unknown, result: object) =>
    hear({ message: JSON.stringify(rpc(nonce, { id, result })) });
  return {
    sent,
    clock,
    bridge,
    ask,
    answer,
    done: (result: unknown) => done(result),
    handlers: () => handlers,
  };
}

test('what is sent before Office has the handler waits for it, in order', async () => {
  const { sent, ask, answer, done, bridge, clock, handlers } = createWorld();
  const asked = ask();
  bridge.notify('one', {});
  await settle();
  expect(sent).toEqual([]);
  done({ status: 'succeeded' });
  expect(parsed(sent).map(({ method }) => method)).toEqual(['hello', 'one']);
  answer(parsed(sent)[0]?.['id'], { protocol: 1, offers: ['store'] });
  await settle();
  answer(parsed(sent)[2]?.['id'], { value: 'v' });
  await expect(asked).resolves.toEqual({ value: 'v' });
  expect([clock.pending, handlers()]).toEqual([0, 1]);
  bridge.close();
});

test.each([
  [
    { status: 'failed', error: { code: 12009, message: 'no dialog' } },
    'addHandlerAsync failed: 12009 no dialog',
  ],
  [{ status: 'failed' }, 'addHandlerAsync failed: it gave no reason'],
  [undefined, 'addHandlerAsync failed: it gave no reason'],
])('a handler that Office refuses with %j is named, now and later', async (result, problem) => {
  const { sent, ask, done, bridge, clock } = createWorld();
  const refused = { code: 'bridge_unavailable', details: { problem } };
  const first = expect(ask()).rejects.toMatchObject(refused);
  await settle();
  done(result);
  await first;
  await expect(ask()).rejects.toMatchObject(refused);
  done({ status: 'succeeded' });
  await expect(ask()).rejects.toMatchObject(refused);
  expect([sent, clock.pending]).toEqual([[], 0]);
  bridge.close();
});

test('an Office that never answers is waited for no longer than five seconds', async () => {
  const { ask, bridge, clock, sent } = createWorld();
  const problem = 'addHandlerAsync did not answer within 5000 ms';
  const first = expect(ask()).rejects.toMatchObject({ details: { problem } });
  await clock.advance(5_000);
  await first;
  expect([sent, clock.pending]).toEqual([[], 0]);
  bridge.close();
});

test('an Office that answers later than that is heard all the same', async () => {
  const { ask, answer, done, bridge, clock, sent } = createWorld();
  const first = expect(ask()).rejects.toMatchObject({ code: 'bridge_unavailable' });
  await clock.advance(5_000);
  await first;
  done({ status: 'succeeded' });
  const asked = ask();
  await settle();
  answer(parsed(sent)[0]?.['id'], { protocol: 1, offers: ['store'] });
  await settle();
  answer(parsed(sent)[1]?.['id'], { value: 'v' });
  await expect(asked).resolves.toEqual({ value: 'v' });
  bridge.close();
});

test('one that throws is told, and no timer is left', async () => {
  page['Office'] = {
    context: {
      ui: {
        messageParent() {},
        addHandlerAsync() {
          throw new Error('5001');
        },
      },
    },
  };
  const clock = createFakeClock();
  const bridge = openBridge(officeDialogChannel({ clock }), { nonce: 'n'.repeat(22), clock });
  const asked = bridge.request('store', 'store.get', { key: 'k' }, { timeoutMs: 1_000 });
  await expect(asked).rejects.toMatchObject({ code: 'bridge_unavailable' });
  expect(clock.pending).toBe(0);
  bridge.close();
});

test('no more than 64 messages wait', () => {
  createWorld();
  const channel = officeDialogChannel({ clock: createFakeClock() });
  for (let i = 0; i < 64; i += 1) channel.send(String(i));
  expect(() => channel.send('one too many')).toThrow('the handler of Office is not set up');
});
