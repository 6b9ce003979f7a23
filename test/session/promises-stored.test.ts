// What is kept, of whom, and for how long: tokens that a store does not take, siblings with other clocks, records of
// other versions. Each row was once a line that could be changed without a test noticing (npm run mutate).
import { MortiseError, type ErrorCode } from '../../src/errors.js';
import type { PlatformApi, Provider, ServerMetadata } from '../../src/oauth/provider.js';
import { settle } from '../support/fake-clock.js';
import { deferred, type FakeAnswer } from '../support/fake-host.js';
import {
  broken,
  createDesk,
  failing,
  neverHeld,
  personProvider,
  RENEW,
  type Desk,
  type Disk,
} from './support.js';

type Process = ReturnType<Desk['start']>;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const RECORD = /^mortise\/1\/([^/]*\/){3}[^/]*$/;
const keyOf = ({ values }: Disk) => [...values.keys()].find((key) => RECORD.test(key)) ?? '';
const writesTo = ({ operations }: Disk) =>
  operations.filter(({ operation, key }) => operation === 'set' && RECORD.test(key));

/** A renewal whose answer is on its way. */
async function renewing(desk: Desk, { session }: Process) {
  const answer = deferred<FakeAnswer>();
  desk.server.next(() => answer.promise);
  const asked = session.getAccessToken(RENEW);
  asked.catch(() => {});
  await settle();
  const arrive = async (given: FakeAnswer = desk.server.issue()) => {
    answer.resolve(given);
    await settle();
  };
  return { asked, arrive };
}

describe('the scopes of a session', () => {
  test('are those the server has said last', async () => {
    const desk = createDesk();
    const { server } = desk;
    const saying = (scope: string) => () => ({ json: { ...Object(server.issue().json), scope } });
    server.next(saying('read'), server.usual, saying('read write'), server.usual);
    const { session } = await desk.signedIn();
    const seen = [session.state];
    for (let count = 0; count < 3; count += 1) {
      await session.getAccessToken(RENEW);
      seen.push(session.state);
    }
    const scopes = [['read'], ['read'], ['read', 'write'], ['read', 'write']];
    expect(seen).toEqual(scopes.map((each) => expect.objectContaining({ scopes: each })));
  });
});

test('case 98: a sibling’s token is as old as it may be, by the clock that nobody sets, whatever theirs says', async () => {
  const desk = createDesk();
  const { clock, server } = desk;
  await clock.advance(5 * MINUTE_MS);
  const own = await desk.signedIn({ isHeard: false });
  await clock.advance(10 * MINUTE_MS);
  clock.setWall(clock.nowMs() - 2 * HOUR_MS);
  server.next(() => ({ json: { ...Object(server.issue().json), expires_in: 7_200 } }));
  const ahead = { ...clock, nowMs: () => clock.nowMs() + 3 * HOUR_MS };
  const theirs = await desk.start({ clock: ahead }).session.getAccessToken(RENEW);
  // It came after we had looked, 10 minutes ago: 110 are left at the least.
  expect(await own.session.getAccessToken({ minValidityMs: 105 * MINUTE_MS })).toBe(theirs);
  clock.setWall(clock.nowMs() - HOUR_MS);
  await clock.advance(106 * MINUTE_MS);
  expect(await own.session.getAccessToken({ minValidityMs: MINUTE_MS })).toBe(theirs);
  expect(await own.session.getAccessToken({ minValidityMs: 10 * MINUTE_MS })).not.toBe(theirs);
});

describe('a sibling without a lock', () => {
  // prettier-ignore
  test.each<[name: string, answer: (desk: Desk) => FakeAnswer]>([
    ['and with it the refresh token',     ({ server }) => server.issue()],
    ['of a refresh token that is reused', ({ server }) => {
      const { refresh_token: _, ...json } = Object(server.issue().json);
      return { json };
    }],
  ])('that was quicker is believed, and what is its sign-in is not ended: %s', async (_, answer) => {
    const desk = createDesk({ lock: neverHeld });
    const own = await desk.signedIn({ isHeard: false });
    const sibling = desk.start({ isHeard: false });
    await sibling.session.restore();
    const { asked, arrive } = await renewing(desk, own);
    desk.server.next(() => answer(desk));
    const theirs = await sibling.session.getAccessToken(RENEW);
    await arrive(answer(desk));
    expect(await asked).toBe(theirs);
    expect(desk.record()?.accessToken).toBe(theirs);
    expect(desk.server.revoked).toEqual([]);
  });
});

describe('case 137: a sign-out while renewed tokens wait for the store', () => {
  test('ends both what was there and what was to be saved', async () => {
    const desk = createDesk();
    const own = await desk.signedIn({ isHeard: false });
    const { asked, arrive } = await renewing(desk, own);
    const gate = deferred<void>();
    desk.store.before = (operation, key) =>
      operation === 'get' && RECORD.test(key) ? gate.promise : undefined;
    const renewed = desk.server.issue();
    await arrive(renewed);
    const out = own.session.signOut();
    await desk.clock.advance(2_000);
    desk.store.before = () => {};
    gate.resolve();
    await out;
    await expect(asked).rejects.toEqual(failing('sign_in_required', { reason: 'signedOut' }));
    await settle();
    expect(desk.record()).toBeNull();
    expect(desk.server.revoked).toContain(Object(renewed.json).refresh_token);
    await expect(own.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });
});

describe('case 125: tokens that the store does not take', () => {
  test.each(['get', 'set'] as const)('are told of with why, when it fails at %s', async (kind) => {
    const desk = createDesk();
    const own = await desk.signedIn();
    desk.store.before = broken(kind);
    await own.session.getAccessToken(RENEW);
    expect(own.changes.at(-1)).toMatchObject({
      event: 'tokensIssued',
      error: failing('store_unavailable'),
    });
  });

  test('are tried again after 5 s, not with every use', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn();
    desk.store.before = broken('set');
    await session.getAccessToken(RENEW);
    desk.store.operations.length = 0;
    for (let count = 0; count < 3; count += 1) {
      await session.getAccessToken();
      await desk.clock.advance(1_000);
    }
    expect(writesTo(desk.store)).toEqual([]);
    await desk.clock.advance(2_000);
    expect(writesTo(desk.store)).toHaveLength(1);
  });

  test('case 211: of an app are good all the same', async () => {
    const desk = createDesk();
    const provider = { ...personProvider(), grant: 'client_credentials' } as Provider<never>;
    const { session } = desk.start({ provider } as never) as Process;
    desk.store.before = broken('set');
    const token = await session.getAccessToken();
    expect(token).toContain('access');
    expect(session.state).toMatchObject({ name: 'signedIn', unsaved: true });
    expect(await session.getAccessToken()).toBe(token);
  });
});

describe('what rests in the store', () => {
  test('by a version that did not count sign-ins is taken over, also after a refusal', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const [key, record] = [keyOf(desk.store), desk.record()];
    desk.server.revokeAll();
    await expect(own.session.getAccessToken(RENEW)).rejects.toEqual(failing('sign_in_required'));
    expect(own.session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
    own.news();
    const { signInId: _, ...older } = { ...record, revision: 'of-an-older-version' };
    await desk.store.set(key, JSON.stringify(older));
    await settle();
    expect(own.news()).toEqual(['sessionFound signedIn']);
  });

  test.each([[[]], [''], [5], [true]])(
    'is damaged when what the next refresh must send is %j',
    async (carried) => {
      const desk = createDesk();
      await (await desk.signedIn()).session.close();
      const record = JSON.stringify({ ...desk.record(), carried });
      desk.store.values.set(keyOf(desk.store), record);
      const next = desk.start();
      await next.session.restore();
      expect(next.session.state).toEqual({ name: 'signedOut', reason: 'damaged' });
    },
  );

  // prettier-ignore
  test.each<[name: string, error: Error, details: object, hint: RegExp]>([
    ['is locked',              new MortiseError('store_unavailable', { problem: 'locked' }, { hint: 'Unlock it.' }), { problem: 'locked' }, /^Unlock it\.$/],
    ['is behind a network',    new MortiseError('network_error', { host: 'disk.example' }), {}, /unlock the keychain/],
    ['fails with a code',      Object.assign(new Error('x'), { code: 'store_damaged' }), {}, /unlock the keychain/],
  ])('is left alone, and not taken for damaged, when the store %s', async (_, error, details, hint) => {
    const desk = createDesk();
    await (await desk.signedIn()).session.close();
    const before = [...desk.store.values];
    desk.store.before = (operation) => {
      if (operation === 'get') throw error;
    };
    const { session } = desk.start();
    const failure: unknown = await session.restore().catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({
      code: 'store_unavailable' satisfies ErrorCode,
      hint: expect.stringMatching(hint),
    });
    expect(failure).toHaveProperty('details', details);
    expect([...desk.store.values]).toEqual(before);
    expect(session.state.name).toBe('idle');
  });
});

describe('case 155: whose the base of an API is', () => {
  test('is not forgotten over a sign-in here and one elsewhere', async () => {
    const bases: (string | Error)[] = ['https://api.example/v1/us'];
    const { displayName: _, ...usual } = personProvider();
    const base = async () => {
      const next = bases.shift() ?? 'https://api.example/v1/eu';
      if (next instanceof Error) throw next;
      return next;
    };
    const provider: Provider<PlatformApi> = {
      ...usual,
      api: ({ connect }) => ({ request: connect(base) }),
    };
    const desk = createDesk();
    const own = await desk.signedIn({ provider });
    await own.session.api.request({ path: 'x' });
    await own.signIn('bob');
    await desk.start().signIn('carol');
    await settle();
    const error = new MortiseError('network_error', { host: 'platform.example' });
    bases.push(error);
    await expect(own.session.api.request({ path: 'x' })).rejects.toBe(error);
    expect(desk.calls.map(({ path }) => path)).toEqual(['us/x']);
  });
});

test('case 96: renewing ahead plans nothing for tokens that cannot be renewed', async () => {
  const desk = createDesk();
  const json = { access_token: 'only', token_type: 'Bearer', expires_in: 3600 };
  desk.server.next(() => ({ json }));
  await desk.signedIn({ renewAheadMs: 60_000 });
  expect(desk.clock.pendingInBackground).toBe(0);
});

test('a refresh needs no discovery where the platform’s endpoints are known', async () => {
  const usual = personProvider();
  const known = usual.metadata as ServerMetadata;
  let discoveries = 0;
  const metadata = async () => {
    discoveries += 1;
    return known;
  };
  const provider = { ...usual, metadata, protocol: { known } };
  const desk = createDesk();
  await (await desk.signedIn({ provider })).session.close();
  expect(discoveries).toBe(1);
  await desk.start({ provider }).session.getAccessToken(RENEW);
  expect(discoveries).toBe(1);
});
