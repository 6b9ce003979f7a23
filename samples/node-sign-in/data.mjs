/** The tree of the organization the user chose. */
export async function showOrganization(session, terminal, signal) {
  const info = await session.api.getApiInfo({ signal });
  const { firstName = '', lastName = '' } = info.user ?? {};
  const who = [`${firstName} ${lastName}`.trim(), info.organization.name]
    .filter(Boolean)
    .join(', ');
  terminal.step('Account', who);
  terminal.step('API', info.apiUrl);
  showToken(session, terminal);

  const children = new Map();
  let count = 0;
  terminal.wait('browsing');
  for await (const { node, parentId } of session.api.walk(info.organization.id, { signal })) {
    children.set(parentId, [...(children.get(parentId) ?? []), node]);
    count += 1;
    terminal.wait(`browsing, ${plural(count, 'node')} so far`);
  }
  terminal.stopWaiting();
  terminal.print(`\n${info.organization.name ?? info.organization.id}`);
  printTree(terminal, children, info.organization.id, '');
  const divisions = children.get(info.organization.id)?.length ?? 0;
  terminal.print(`\n${plural(divisions, 'division')}, ${plural(count, 'node')} in all.`);
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

function printTree(terminal, children, parentId, indent) {
  const nodes = children.get(parentId) ?? [];
  nodes.forEach((node, index) => {
    const isLast = index === nodes.length - 1;
    const label = [node.name ?? node.id, node.type && terminal.faint(String(node.type))];
    terminal.print(
      `${terminal.faint(indent + (isLast ? '└─ ' : '├─ '))}${label.filter(Boolean).join('  ')}`,
    );
    printTree(terminal, children, node.id, indent + (isLast ? '   ' : '│  '));
  });
}

/** What any OAuth server granted. */
export async function showGranted(session, terminal, signal) {
  await session.getAccessToken({ signal });
  showToken(session, terminal);
  try {
    const claims = await session.api.userInfo({ signal });
    for (const [name, value] of Object.entries(claims)) terminal.step(name, JSON.stringify(value));
  } catch (error) {
    terminal.step('User info', `${error.message}. ${error.hint}`);
  }
}

function showToken({ state }, terminal) {
  if (state.name !== 'signedIn') return;
  terminal.step('Granted', state.scopes.join(' ') || 'nothing in particular');
  const end = state.expiresAtMs;
  const time = { dateStyle: 'medium', timeStyle: 'short' };
  terminal.step(
    'Token',
    `good until ${end === null ? 'refused' : new Date(end).toLocaleString([], time)}`,
  );
}
