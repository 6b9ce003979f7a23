import type { Reply, SentRequest } from '../api/support/scripted-http.js';
import { withOnePartWrong } from './support/any-answer.js';
import { callsOf, type Call } from './support/calls.js';
import { REFUSALS, samplesOf } from './support/samples.js';
import { expectNoStranger, expectPrototypesUntouched, settled } from './support/sound.js';
import { createStage, type Stage } from './support/stage.js';
import { EVERY_WAY, files } from './support/ways.js';

/** One way for each provider: what reads an answer is the same for all of them. */
const ONE_EACH = files.map((file) => EVERY_WAY.find(([, way]) => way.file === file)!);

const wrong = (...good: readonly object[]) => good.flatMap(withOnePartWrong);

let stage: Stage;
let calls: readonly Call[];
const offenders: unknown[] = [];

/** Fails at the end, with all of them. */
const tryOut = async (name: string, body: string, work: Promise<unknown>) =>
  settled(work).catch(({ cause }: Error) => void offenders.push([name, body, cause]));

expectPrototypesUntouched();

describe.each(ONE_EACH)('%s: each part in turn is of another type in', (_, way) => {
  beforeEach(async () => {
    offenders.length = 0;
    stage = await createStage(way);
    await stage.signIn();
    calls = await callsOf(stage);
  });
  afterEach(async () => {
    expect(offenders).toEqual([]);
    expectNoStranger(stage);
    await stage.session.close();
  });

  test('a token answer', async () => {
    const issued = { accessToken: 'access-1', refreshToken: 'refresh-1', expiresIn: 3600 };
    for (const body of wrong({ ...way.tokens(issued), scope: 'a' })) {
      stage.answers = { token: () => ({ body }) };
      await tryOut('signIn', body, stage.signIn());
    }
  });

  test('a refusal', async () => {
    for (const body of wrong(...REFUSALS)) {
      stage.answers = { token: () => ({ status: 400, body }) };
      await tryOut('signIn', body, stage.signIn());
    }
  });

  const isJson = ({ body }: Reply) => /^[[{]/.test(String(body));
  for (const [place, good] of Object.entries(way.documents).filter(([, reply]) => isJson(reply))) {
    test(`what the server says at ${place}`, async () => {
      for (const body of wrong(JSON.parse(String(good.body)) as object)) {
        await stage.session.close();
        stage = await createStage(way);
        stage.answers = { document: ({ url }) => (place.endsWith(url) ? { body } : undefined) };
        await tryOut('signIn', body, stage.signIn());
        if (stage.session.state.name === 'signedIn') await callsOf(stage);
        expectNoStranger(stage);
      }
    });
  }

  const askAll = async (body: string, status: number, isFor: (request: SentRequest) => boolean) => {
    stage.answers = { api: (request) => (isFor(request) ? { status, body } : undefined) };
    for (const [name, call] of calls) await tryOut(name, body, stage.ending(call()));
  };

  test('an answer of the API', async () => {
    for (const status of [200, 403]) {
      for (const body of wrong(...samplesOf(way.file))) {
        await askAll(body, status, (request) => !stage.isBase(request));
      }
    }
  });

  for (const [place, good] of Object.entries(way.api)) {
    test(`what the API says at ${place}`, async () => {
      for (const body of wrong(JSON.parse(String(good.body)) as object)) {
        // It is asked for once a sign-in.
        stage.answers = {};
        await stage.signIn();
        await askAll(body, 200, stage.isBase);
      }
    });
  }
});
