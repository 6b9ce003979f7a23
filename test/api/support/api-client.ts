import type { ApiRequest, ApiResponse, ErrorCode } from 'mortise';
import { createApiClient } from '../../../src/api/client.js';
import { createInFlight, stopAll, type InFlight } from '../../../src/http/guard.js';
import { createFakeClock, settle, type FakeClock } from '../../support/fake-clock.js';
import { SECRET } from './failure.js';
import { scriptedHttp, type ScriptedHttp, type Step } from './scripted-http.js';

export const BASE = 'https://api.example/v1';

export interface ApiFixture {
  readonly clock: FakeClock;
  readonly inFlight: InFlight;
  readonly sent: ScriptedHttp['sent'];
  /** The tokens that were refused, one for each renewal asked for. */
  readonly renewals: readonly string[];
  /** Sends; nothing waits until the clock is turned. */
  start(request?: Partial<ApiRequest>): Promise<ApiResponse>;
  /** Sends, and turns the clock until there is an outcome. */
  ask(request?: Partial<ApiRequest>): Promise<ApiResponse>;
  /** Turns the clock until `work` settles. */
  over<T>(work: Promise<T>): Promise<T>;
  /** Milliseconds between one request and the next. */
  pauses(): number[];
  close(): void;
}

export interface ApiFixtureOptions {
  readonly base?: () => string | Promise<string>;
  readonly hint?: (code: ErrorCode, status: number) => string | undefined;
  /** What a renewal gives instead of the next token. */
  readonly renew?: (refused: string, signal: AbortSignal | undefined) => Promise<string>;
  /** The byte that jitter is made of. */
  readonly chance?: number;
}

/** A client of the API at {@link BASE}, with a token that a renewal replaces by the next. */
export function createApiFixture(
  script: readonly Step[],
  options: ApiFixtureOptions = {},
): ApiFixture {
  const { base = () => BASE, hint = () => undefined, chance = 0 } = options;
  const clock = createFakeClock();
  const inFlight = createInFlight();
  const http = scriptedHttp(script, clock.monotonicMs);
  const renewals: string[] = [];
  let token = `${SECRET}-token-0`;
  const request = createApiClient({
    host: {
      http: http.transport,
      clock,
      crypto: {
        randomBytes: (length) => new Uint8Array(length).fill(chance),
        sha256: () => Promise.reject(new Error('not needed here')),
      },
    },
    inFlight,
    base,
    hint,
    generation: () => 0,
    async token(refused, signal) {
      if (refused === undefined) return token;
      renewals.push(refused);
      token = options.renew
        ? await options.renew(refused, signal)
        : `${SECRET}-token-${renewals.length}`;
      return token;
    },
  });
  const start: ApiFixture['start'] = (more = {}) => request({ path: 'items', ...more });
  const over: ApiFixture['over'] = async (work) => {
    let isOver = false;
    const done = () => (isOver = true);
    work.then(done, done);
    for (let round = 0; !isOver && round < 100; round += 1) {
      await settle();
      if (!isOver) await clock.advance(1_000);
    }
    if (!isOver) throw new Error('it never settles');
    return work;
  };
  return {
    clock,
    inFlight,
    sent: http.sent,
    renewals,
    start,
    over,
    ask: (more) => over(start(more)),
    pauses: () => http.sent.slice(1).map(({ atMs }, index) => atMs - (http.sent[index]?.atMs ?? 0)),
    close: () => stopAll(inFlight),
  };
}

/** What every test ends with: no timer runs, and nothing can be stopped that is over. */
export function expectNothingLeft({ clock, inFlight }: ApiFixture): void {
  expect({ timers: clock.pending, stops: inFlight.stops.size }).toEqual({ timers: 0, stops: 0 });
}
