import { memoryStore } from '../../src/session/memory-store.js';
import { describeKeyValueStore } from '../support/key-value-store-contract.js';

describeKeyValueStore('memoryStore', memoryStore);

test('two memory stores share nothing', async () => {
  const [one, other] = [memoryStore(), memoryStore()];
  await one.set('key', 'value');
  await expect(other.get('key')).resolves.toBeNull();
});
