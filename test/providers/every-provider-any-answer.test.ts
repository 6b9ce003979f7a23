import fc from 'fast-check';
import { anyAnswer } from './support/any-answer.js';
import { callsOf } from './support/calls.js';
import { REFUSALS, samplesOf } from './support/samples.js';
import {
  expectNoStranger,
  expectPrototypesUntouched,
  expectSoundSession,
  settled,
} from './support/sound.js';
import { createStage, type Answer, type Stage } from './support/stage.js';
import { EVERY_WAY, type Way } from './support/ways.js';

/** For each way and each party. */
const numRuns = 20;
const MOST_ANSWERS = 3;

const several = (...good: readonly unknown[]) =>
  fc.array(anyAnswer(...good), { minLength: 1, maxLength: MOST_ANSWERS });

/** One answer after the other; the last one goes on for ever. */
const inTurn = (answers: readonly Answer[]) => {
  let next = 0;
  return () => answers[Math.min(next++, answers.length - 1)];
};

async function play(way: Way, scene: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await createStage(way);
  await scene(stage);
  await expectSoundSession(stage);
  expectNoStranger(stage);
  await stage.ending(stage.session.close());
  expect(stage.clock.pending).toBe(0);
}

expectPrototypesUntouched();

describe.each(EVERY_WAY)('%s: a sound session or one of our errors, whatever', (_, way) => {
  const issued = { accessToken: 'access-1', refreshToken: 'refresh-1', expiresIn: 3600 };

  test('the token endpoint answers', async () => {
    const good = { ...way.tokens(issued), scope: 'a b' };
    const answers = several(...REFUSALS, ...REFUSALS.map(() => good));
    const scene = (all: readonly Answer[], isHalved: boolean) => async (stage: Stage) => {
      stage.answers = { token: inTurn(all) };
      const inHalves = isHalved && way.mode !== 'service';
      const signedIn = await settled(inHalves ? stage.signInByHalves() : stage.signIn());
      expect(stage.session.state.name).toBe('value' in signedIn ? 'signedIn' : 'signedOut');
      if ('error' in signedIn) return;
      await expectSoundSession(stage);
      const renewed = await settled(stage.renew());
      if ('value' in renewed) expect(renewed.value).toMatch(/^[\x21-\x7e]+$/);
    };
    const property = fc.asyncProperty(answers, fc.boolean(), (all, isHalved) =>
      play(way, scene(all, isHalved)),
    );
    await fc.assert(property, { numRuns });
  });

  const documents = Object.values(way.documents);
  if (documents.length > 0) {
    test('the server says of itself', async () => {
      const texts = documents.map(({ body }) => String(body)).filter((text) => /^[[{]/.test(text));
      const answers = several(...texts.map((text) => JSON.parse(text) as unknown));
      const scene = (all: readonly Answer[], goodOnes: number) => async (stage: Stage) => {
        const say = inTurn(all);
        let asked = 0;
        stage.answers = { document: () => (asked++ < goodOnes ? undefined : say()) };
        await settled(stage.signIn());
      };
      const property = fc.asyncProperty(answers, fc.nat({ max: 1 }), (all, goodOnes) =>
        play(way, scene(all, goodOnes)),
      );
      await fc.assert(property, { numRuns });
    });
  }

  test('the API answers', async () => {
    const answers = several(...samplesOf(way.file));
    const scene = (all: readonly Answer[], which: number, areSome: boolean) => {
      return async (stage: Stage) => {
        await stage.signIn();
        const calls = await callsOf(stage);
        // What is asked for once a sign-in is asked for again.
        await stage.signIn();
        const say = inTurn(all);
        // What others depend on is good in half of the runs, or they would never be got to.
        stage.answers = {
          api: (request) => (areSome && stage.isBase(request) ? undefined : say()),
        };
        const [, call] = calls[which % calls.length]!;
        await settled(stage.ending(call()));
      };
    };
    const property = fc.asyncProperty(answers, fc.nat(), fc.boolean(), (all, which, areSome) =>
      play(way, scene(all, which, areSome)),
    );
    await fc.assert(property, { numRuns });
  });
});
