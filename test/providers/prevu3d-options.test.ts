import { prevu3d } from 'mortise/providers/prevu3d';

const failing = (code: string) => expect.objectContaining({ name: 'MortiseError', code });
const environment = (apiHosts: unknown) => ({
  authorizationEndpoint: 'https://a.example/oauth',
  tokenEndpoint: 'https://a.example/token',
  apiInfoEndpoint: 'https://a.example/api-info',
  apiHosts: apiHosts as string[],
});

test.each([
  ['an empty name, which every host ending in a dot would match', ['']],
  ['a port', ['example.com:8443']],
  ['a scheme', ['https://example.com']],
  ['a wildcard', ['*.example.com/']],
  ['a dot in front', ['.example.com/x']],
  ['a dot behind', ['example.com.']],
  ['text instead of a list', 'example.com'],
  ['a number', [5]],
  ['nothing', []],
  ['no list', undefined],
])('case 153: apiHosts with %s is a configuration_error', (_, apiHosts) => {
  const create = () =>
    prevu3d({ clientId: 'a', scopes: ['b'], environment: environment(apiHosts) });
  expect(create).toThrow(failing('configuration_error') as never);
});

test.each([['example.com'], ['localhost'], ['127.0.0.1'], ['[::1]'], ['API.Example.com']])(
  'apiHosts may name %s',
  (name) => {
    expect(prevu3d({ clientId: 'a', scopes: ['b'], environment: environment([name]) }).id).toBe(
      'prevu3d',
    );
  },
);

test.each<[string, object]>([
  ['an environment that is none', { environment: 'staging' }],
  ['scopes that are text', { scopes: 'read:basic' }],
  ['no scopes', { scopes: [] }],
  ['a secret of a native app', { clientSecret: 'x' }],
])('%s is a configuration_error', (_, wrong) => {
  const create = () => prevu3d({ clientId: 'a', scopes: ['b'], ...wrong } as never);
  expect(create).toThrow(failing('configuration_error') as never);
});

test('a grant that is left undefined is the user’s', () => {
  const options = { clientId: 'a', scopes: ['b'], grant: undefined };
  expect(prevu3d(options as never).grant).toBe('authorization_code');
});
