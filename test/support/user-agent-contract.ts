import type { RedirectOutcome, RedirectRule, RedirectUserAgent } from '../../src/ports/index.js';

/** A user agent, and the world around it, played by the test. */
export interface UserAgentFixture {
  readonly userAgent: RedirectUserAgent;
  readonly redirect: RedirectRule;
  /** Every address the user was shown, in order. */
  shown(): readonly string[];
  /** From now on no address can be shown. */
  breakNavigation(): void;
  /** Lets the redirect arrive, as the authorization server would. Settles either way when it was answered. */
  land(redirectUrl: string): Promise<unknown>;
  /** Whether the place at `redirectUri` could be had by the next visit. */
  isFree(redirectUri: string): Promise<boolean>;
  tearDown?(): Promise<void>;
}

const AUTHORIZATION_URL = 'https://as.example/authorize?client_id=a%20b&state=s1';
const IGNORED: RedirectOutcome = { kind: 'ignored' };

const withinASecond = (work: Promise<void>) =>
  Promise.race([
    work.then(() => 'done'),
    new Promise((resolve) => setTimeout(resolve, 1_000, 'too late').unref()),
  ]);

/** What sign-in may expect of every host's user agent. The host's own test adds what is its own. */
export function describeUserAgent(name: string, setUp: () => Promise<UserAgentFixture>): void {
  describe(`${name} keeps the promises of every user agent`, () => {
    let fixture: UserAgentFixture;
    let over: AbortController;
    let arrived: string[];

    const open = (outcome: () => Promise<RedirectOutcome> = async () => IGNORED) =>
      fixture.userAgent.open({
        redirect: fixture.redirect,
        signal: over.signal,
        onRedirect: (redirectUrl) => {
          arrived.push(redirectUrl);
          return outcome();
        },
        onWindow() {},
      });

    beforeEach(async () => {
      over = new AbortController();
      arrived = [];
      fixture = await setUp();
    });

    afterEach(async () => {
      over.abort();
      await fixture.tearDown?.();
    });

    test('it shows nothing before navigate, and then exactly the address it was given', async () => {
      const visit = await open();
      expect(fixture.shown()).toEqual([]);
      await visit.navigate(AUTHORIZATION_URL);
      expect(fixture.shown()).toEqual([AUTHORIZATION_URL]);
    });

    test.each([
      ['an answer', '?code=a%2Fb+c&state=%7Es1&iss=https%3A%2F%2Fas.example%2F'],
      ['a refusal', '?error=access_denied&error_description=no%20thanks&state=s1'],
      ['parameters twice, empty and unknown', '?state=s1&state=s2&code=&x'],
      ['nothing at all', ''],
    ])('a redirect with %s is delivered exactly as it came', async (_, query) => {
      const visit = await open();
      await visit.navigate(AUTHORIZATION_URL);
      await fixture.land(`${visit.redirectUri}${query}`);
      expect(arrived).toEqual([`${visit.redirectUri}${query}`]);
    });

    test('a redirect that was ignored does not end the visit: the next one is delivered too', async () => {
      const visit = await open();
      await visit.navigate(AUTHORIZATION_URL);
      const urls = ['stray', 's1', 's1'].map((state) => `${visit.redirectUri}?state=${state}`);
      for (const url of urls) await fixture.land(url);
      expect(arrived).toEqual(urls);
    });

    test('an address that cannot be shown is a MortiseError, and the visit stays open', async () => {
      const visit = await open();
      fixture.breakNavigation();
      await expect(visit.navigate(AUTHORIZATION_URL)).rejects.toMatchObject({
        name: 'MortiseError',
      });
      await fixture.land(`${visit.redirectUri}?code=c`);
      expect(arrived).toEqual([`${visit.redirectUri}?code=c`]);
    });

    test('close may be called twice, at once and again, and frees the place within a second', async () => {
      const visit = await open();
      await visit.navigate(AUTHORIZATION_URL);
      const closed = Promise.all([visit.close(), visit.close()]).then(() => visit.close());
      expect(await withinASecond(closed)).toBe('done');
      expect(await fixture.isFree(visit.redirectUri)).toBe(true);
    });

    test('close does not wait for an outcome that never comes', async () => {
      const visit = await open(() => new Promise(() => {}));
      await visit.navigate(AUTHORIZATION_URL);
      void fixture.land(`${visit.redirectUri}?code=c`).catch(() => {});
      while (arrived.length === 0) await new Promise((done) => setTimeout(done, 1));
      expect(await withinASecond(visit.close())).toBe('done');
      expect(await fixture.isFree(visit.redirectUri)).toBe(true);
    });

    test('a closed visit delivers nothing', async () => {
      const visit = await open();
      await visit.close();
      await fixture.land(`${visit.redirectUri}?code=c`).catch(() => {});
      expect(arrived).toEqual([]);
    });

    test('an aborted signal frees the place', async () => {
      const visit = await open();
      over.abort();
      expect(await withinASecond(visit.close())).toBe('done');
      expect(await fixture.isFree(visit.redirectUri)).toBe(true);
    });

    test('a signal that is aborted already holds nothing', async () => {
      over.abort();
      await expect(open()).rejects.toMatchObject({ name: 'MortiseError', code: 'aborted' });
    });

    test('one visit can follow another', async () => {
      await (await open()).close();
      const visit = await open();
      await fixture.land(`${visit.redirectUri}?code=c`);
      expect(arrived).toHaveLength(1);
    });
  });
}
