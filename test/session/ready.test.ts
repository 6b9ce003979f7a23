import { MortiseError } from '../../src/errors.js';
import { createDesk, createDisk, failing } from './support.js';

test('case 190: a store that cannot be saved to is told before the user is sent anywhere', async () => {
  const absent = new MortiseError('store_unavailable', { problem: 'absent' });
  const store = createDisk({ ready: () => Promise.reject(absent) });
  const { session, host } = createDesk({ store }).start();
  await expect(session.signIn()).rejects.toEqual(
    failing('store_unavailable', { problem: 'absent' }),
  );
  expect(host.visits.map(({ url }) => url)).toEqual(['']);
});
