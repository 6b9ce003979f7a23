import { omit, type Fault, type Faulty } from './fault.js';
import { readCount, wholeResource } from '../opencde/bcf.js';

type Json = Readonly<Record<string, unknown>>;
type Bend = Required<Fault>['bend'];

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lists only: a single project or topic stays as it is. */
const bendList =
  (change: (list: readonly Json[], call: Parameters<Bend>[1]) => unknown): Bend =>
  (answer, call) =>
    Array.isArray(answer.json) ? { ...answer, json: change(answer.json, call) } : answer;

/** Every value of an answer, from the leaves up. */
function deep(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return change(value.map((each) => deep(each, change)));
  if (!isObject(value)) return change(value);
  const members = Object.entries(value).map(([name, each]) => [name, deep(each, change)]);
  return change(Object.fromEntries(members));
}

const bendDeep =
  (change: (value: unknown) => unknown): Bend =>
  (answer) => ({ ...answer, json: deep(answer.json, change) });

const bendTimes = (zone: string) =>
  bendDeep((value) =>
    typeof value === 'string' ? value.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+)Z$/, `$1${zone}`) : value,
  );

/** What the schema of a topic calls optional, and lets be null. */
const OPTIONAL = [
  'topic_type',
  'topic_status',
  'priority',
  'labels',
  'modified_author',
  'assigned_to',
  'description',
];

/** Enough to see that a client does not go on for ever. */
const FULL_PAGE = 1_000;

/** What the BCF API, and whoever the user is, can be answered with. */
export const OPENCDE_BCF_FAULTS = {
  'opencde-user-without-name': {
    does: 'The current user has an id, but no name.',
    at: 'userinfo',
    bend: bendDeep((value) => (isObject(value) ? omit(value, 'name') : value)),
  },
  'opencde-user-without-id': {
    does: 'The current user has a name, but no id.',
    at: 'userinfo',
    bend: bendDeep((value) => (isObject(value) ? omit(value, 'id') : value)),
  },
  'opencde-more-members': {
    does: 'Every object of the BCF API has members that are in no document (@metadata, @token and so on for others).',
    at: 'api',
    bend: bendDeep((value) =>
      isObject(value)
        ? { '@odata.type': '#Sandbox', ...value, sandbox_extension: { id: 'x', value: [null] } }
        : value,
    ),
  },
  'opencde-paging-ignored': {
    does: '$top and $skip are ignored: the whole list comes every time.',
    at: 'api',
    bend: bendList((_, call) => wholeResource(call)),
  },
  'opencde-page-capped': {
    does: 'A page holds at most 5 items, whatever $top asks for.',
    at: 'api',
    bend: bendList((list) => list.slice(0, 5)),
  },
  'opencde-list-endless': {
    does: 'A list never ends: every page is full, of the same items again.',
    at: 'api',
    bend: bendList((_, call) => {
      const whole = wholeResource(call) as readonly Json[];
      const top = readCount(call, '$top', whole.length) ?? 0;
      const length = whole.length === 0 ? 0 : Math.min(top, FULL_PAGE);
      return Array.from({ length }, (_, index) => whole[index % whole.length]);
    }),
  },
  'opencde-list-null': {
    does: 'null comes instead of a list.',
    at: 'api',
    bend: bendList(() => null),
  },
  'opencde-list-in-value': {
    does: 'A list comes as the member value of an object, as OData has it.',
    at: 'api',
    bend: bendList((list) => ({ '@odata.count': list.length, value: list })),
  },
  'opencde-item-without-id': {
    does: 'The first item of every list has no guid or project_id.',
    at: 'api',
    bend: bendList((list) =>
      list.map((each, index) => (index === 0 ? omit(each, 'guid', 'project_id') : each)),
    ),
  },
  'opencde-item-null': {
    does: 'The first item of every list is null.',
    at: 'api',
    bend: bendList((list) => [null, ...list.slice(1)]),
  },
  'opencde-members-null': {
    does: 'Members of a topic that may be null are null.',
    at: 'api',
    bend: bendDeep((value) =>
      isObject(value) && 'creation_author' in value
        ? { ...value, ...Object.fromEntries(OPTIONAL.map((name) => [name, null])) }
        : value,
    ),
  },
  'opencde-times-without-zone': {
    does: 'Times have no zone, which means UTC, as Foundation 1.0 allows.',
    at: 'api',
    bend: bendTimes(''),
  },
  'opencde-times-without-colon': {
    does: 'Times end in +0000 without a colon, as Foundation 1.0 allows.',
    at: 'api',
    bend: bendTimes('+0000'),
  },
  'opencde-409': {
    does: 'The API answers with status 409: the GUID is there already.',
    at: 'api',
    instead: () => ({ status: 409, json: { message: 'A topic with this GUID exists.' } }),
  },
} as const satisfies Faulty;
