/** The two versions of the BCF API that are served. */
export type BcfVersion = '2.1' | '3.0';

const [ARCHITECT, MANAGER, ENGINEER] = [
  'Architect@example.com',
  'BIM-Manager@example.com',
  'bob_heater@example.com',
] as const;

/** The user who has signed in, as the standard's example has it. */
export const CURRENT_USER = { id: ARCHITECT, name: 'John Doe' };

/** Of a topic, in this order: type, status, priority, assigned to, title. */
type Row = readonly [type: string, status: string, priority: string, to: string, title: string];

// prettier-ignore
const HARBOUR_BRIDGE: readonly Row[] = [
  ['Clash',       'Open',     'High',   ENGINEER,  'Duct runs through beam B-12'],
  ['Clash',       'Open',     'High',   ENGINEER,  'Sprinkler main meets the cable tray'],
  ['Clash',       'Closed',   'Medium', ARCHITECT, 'Door swing hits the column at axis C4'],
  ['Clash',       'Closed',   'Low',    ENGINEER,  'Insulation overlaps by 12 mm'],
  ['Clash',       'ReOpened', 'High',   ENGINEER,  'Drain pipe below the clear height'],
  ['Error',       'Open',     'High',   ARCHITECT, 'Slab opening missing at riser 3'],
  ['Error',       'Open',     'Medium', ARCHITECT, 'Wall is not joined to the roof'],
  ['Error',       'Open',     'Medium', MANAGER,   'Wrong coordinate base in the pier model'],
  ['Error',       'Closed',   'Low',    MANAGER,   'Storey named twice'],
  ['Error',       'Closed',   'Medium', ARCHITECT, 'Railing without a handrail'],
  ['Error',       'ReOpened', 'Medium', ARCHITECT, 'Stair S-2 has two different treads'],
  ['Information', 'Open',     'Low',    MANAGER,   'New survey of the west abutment'],
  ['Information', 'Open',     'Low',    MANAGER,   'Model split at expansion joint 2'],
  ['Information', 'Closed',   'Low',    ARCHITECT, 'Colours of the façade are decided'],
  ['Request',     'Open',     'Medium', ENGINEER,  'Which pump is meant in room 0.14?'],
  ['Request',     'Open',     'High',   ENGINEER,  'Fire rating of the shaft walls'],
  ['Request',     'Open',     'Low',    ARCHITECT, 'Lighting at the lower landing'],
  ['Request',     'Closed',   'Medium', MANAGER,   'Who models the temporary works?'],
  ['Request',     'ReOpened', 'High',   ENGINEER,  'Bearing loads of pier 5'],
  ['Clash',       'Open',     'Medium', ENGINEER,  'Cable tray crosses the smoke curtain'],
  ['Clash',       'Open',     'Low',    ARCHITECT, 'Ceiling below the window head'],
  ['Error',       'Open',     'High',   ARCHITECT, 'Escape door opens against the flow'],
  ['Information', 'Open',     'Low',    MANAGER,   'Handover of the IFC files on Friday'],
];

// prettier-ignore
const LONGUEUIL_PLANT: readonly Row[] = [
  ['Clash',   'Open',   'High', ENGINEER,  'Crane rail meets the gantry'],
  ['Request', 'Closed', 'Low',  ARCHITECT, 'Height of the loading dock'],
];

/** `project_id` may be any text, says the standard: the third is no GUID and must be encoded. */
const PROJECTS: ReadonlyArray<readonly [id: string, name: string, topics: readonly Row[]]> = [
  ['f445f4f2-4d02-4b2a-b612-5e456bef9137', 'Harbour Bridge', HARBOUR_BRIDGE],
  ['a233fbb2-3a3b-4ff4-8123-de22abc84141', 'Longueuil Plant', LONGUEUIL_PLANT],
  ['station north (2)', 'Station North', []],
];

const DAY_MS = 86_400_000;
const FIRST_MS = Date.UTC(2026, 0, 5, 8, 30);
const dayAt = (index: number) => new Date(FIRST_MS + index * DAY_MS).toISOString();

/** The same one in every run. */
const guidOf = (kind: 'topic' | 'comment', project: number, index: number) =>
  `420b24db-921c-46d6-9629-${kind === 'topic' ? '70' : 'c0'}${project}${String(index).padStart(9, '0')}`;

function topicsOf(project: number, version: BcfVersion) {
  const rows = PROJECTS[project]?.[2] ?? [];
  return rows.map(([topic_type, topic_status, priority, assigned_to, title], index) => ({
    guid: guidOf('topic', project, index + 1),
    // What a person calls it: new in 3.0, where `index` goes out of use.
    ...(version === '3.0'
      ? { server_assigned_id: `ISSUE-${String(index + 1).padStart(5, '0')}` }
      : { index: index + 1 }),
    topic_type,
    topic_status,
    title,
    priority,
    labels: index % 2 === 0 ? ['Architecture'] : ['Structural', 'MEP'],
    creation_date: dayAt(index),
    creation_author: ARCHITECT,
    modified_date: dayAt(index + 30),
    modified_author: MANAGER,
    assigned_to,
    description: `${title}. Found in the weekly check.`,
  }));
}

/** Two below every topic. */
function commentsOf(project: number, topicGuid: string) {
  return [MANAGER, ENGINEER].map((author, index) => ({
    guid: guidOf('comment', project, Number(topicGuid.slice(-9)) * 2 + index),
    date: dayAt(40 + index),
    author,
    comment: index === 0 ? 'Please look at this before Friday.' : 'Done, see the next model.',
    topic_guid: topicGuid,
  }));
}

const extensionsOf = (version: BcfVersion) => ({
  topic_type: ['Clash', 'Error', 'Information', 'Request'],
  topic_status: ['Open', 'Closed', 'ReOpened'],
  topic_label: ['Architecture', 'Structural', 'MEP'],
  snippet_type: ['.ifc', '.csv'],
  priority: ['Low', 'Medium', 'High'],
  [version === '3.0' ? 'users' : 'user_id_type']: [ARCHITECT, MANAGER, ENGINEER],
  stage: ['Preliminary Planning End', 'Construction Start', 'Construction End'],
  project_actions: ['createTopic'],
  topic_actions: ['update', 'createComment'],
  comment_actions: ['update'],
});

const projectAt = (index: number) => ({
  project_id: PROJECTS[index]?.[0],
  name: PROJECTS[index]?.[1],
  authorization: { project_actions: index === 0 ? ['update', 'createTopic'] : [] },
});

/**
 * What lies below `/bcf/{version}/projects`, whole: nothing is left out of a list.
 *
 * @param segments The path behind it, decoded: project, `topics` or `extensions`, topic, `comments`.
 * @returns `undefined` when there is nothing.
 */
export function bcfResource(version: BcfVersion, segments: readonly string[]): unknown {
  const [projectId, kind, topicGuid, below, ...rest] = segments;
  if (projectId === undefined) return PROJECTS.map((_, index) => projectAt(index));
  const project = PROJECTS.findIndex(([id]) => id === projectId);
  if (project < 0 || rest.length > 0) return undefined;
  if (kind === undefined) return projectAt(project);
  if (kind === 'extensions') return topicGuid === undefined ? extensionsOf(version) : undefined;
  if (kind !== 'topics') return undefined;
  const topics = topicsOf(project, version);
  if (topicGuid === undefined) return topics;
  const topic = topics.find(({ guid }) => guid === topicGuid);
  if (below === undefined) return topic;
  return topic && below === 'comments' ? commentsOf(project, topicGuid) : undefined;
}
