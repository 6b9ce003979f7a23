import { systemClock } from '../../../adapters/web/system-clock.js';
import { describeClock } from '../../support/clock-contract.js';
import { createFakeClock } from '../../support/fake-clock.js';

describeClock('systemClock', () => ({
  clock: systemClock,
  pass: (ms) => new Promise((done) => setTimeout(done, ms)),
}));

// What the tests of the core stand on has to keep the same promises.
describeClock('createFakeClock', () => {
  const clock = createFakeClock();
  return { clock, pass: clock.advance };
});
