/** One document for each of the platforms' ways to refuse. */
export const REFUSALS: readonly object[] = [
  { error: 'invalid_grant', error_description: 'It is spent.' },
  { error: { code: 'USER_INPUT_ERROR', message: 'It is no JSON.' } },
  { err: 'Invalid request' },
  { errorCode: 'AUTH-003', developerMessage: 'The client is not known.' },
  { error: 'invalid_request', inner: { 'error-code': 5, 'error-message': 'It is not known.' } },
  { 'error-code': 5, 'error-message': 'It is not known.' },
];

const PERSON = { id: 'u', name: 'Ann', login: 'ann', username: 'ann', preferred_username: 'ann' };
const LIST = [{ id: 'n', guid: 'n', project_id: 'n', name: 'N' }];

/** What a platform's API answers, one for each shape, beside a person and a list. */
const SAMPLES: Readonly<Record<string, readonly object[]>> = {
  aps: [
    {
      data: [{ id: 'b.1', type: 'hubs' }, { id: 'b.2' }],
      links: { next: { href: '/project/v1/hubs?page=2' } },
      meta: { warnings: [{ Title: 'A region', Detail: 'is not read.' }] },
    },
    { data: [], meta: { warnings: [{ Title: 'A region', Detail: 'is not read.' }] } },
    { errorCode: 'AUTH-010', developerMessage: 'No.', meta: { warnings: [{ Title: 'T' }] } },
  ],
  speckle: [
    { data: { activeUser: { ...PERSON, projects: { items: LIST, cursor: 'next' } } } },
    { data: null, errors: [{ message: 'No.', extensions: { code: 'FORBIDDEN', scope: 'a:b' } }] },
    { data: null, errors: [{ message: 'No.', extensions: { code: 'SSO_SESSION_MISSING' } }] },
    { error: 'Your token is not valid.' },
  ],
  prevu3d: [
    { organization: { id: 'o' }, apiUrl: 'https://api-ue1.prevu3d.com/a' },
    { nodes: [{ id: 'n' }, { id: 'an-id' }] },
  ],
  opencde: [
    {
      versions: [
        { api_id: 'foundation', version_id: '1.1', api_base_url: 'https://server.example/a' },
        { api_id: 'bcf', version_id: '3.0', api_base_url: 'https://server.example/b' },
      ],
    },
    { message: 'It may not be seen.' },
  ],
  bimcloud: [{ 'error-code': 5, 'error-message': 'It is not known.' }],
};

export const samplesOf = (file: string): readonly object[] => [
  PERSON,
  LIST,
  ...(SAMPLES[file] ?? [{ message: 'It may not be seen.' }]),
];
