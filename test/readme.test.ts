import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAULTS } from '../src/sandbox/index.js';
import { TRANSITIONS } from '../src/session/transitions.js';

const root = join(__dirname, '..');

/** The machine as a Mermaid diagram: one arrow for each pair of states, with all its events. */
function drawTransitions(): string {
  const arrows = Object.entries(TRANSITIONS).flatMap(([from, cells]) => {
    const targets = [...new Set(Object.values(cells))];
    return targets.map((to) => {
      const events = Object.entries(cells).filter(([, target]) => target === to);
      return `  ${from} --> ${to}: ${events.map(([event]) => event).join(', ')}`;
    });
  });
  return ['```mermaid', 'stateDiagram-v2', '  [*] --> idle', ...arrows, '```'].join('\n');
}

function listFaults(): string {
  const rows = Object.entries(FAULTS).map(([name, { does }]) => `| \`${name}\` | ${does} |`);
  return ['| switch | what the server does |', '|---|---|', ...rows].join('\n');
}

test.each([
  ['README.md', 'transitions', drawTransitions],
  ['src/sandbox/README.md', 'faults', listFaults],
])('%s shows the %s as they are (UPDATE_README=1 rewrites it)', (file, name, draw) => {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const [before = '', rest = ''] = text.split(`<!-- ${name} -->`);
  const [shown = '', after = ''] = rest.split(`<!-- /${name} -->`);
  if (process.env['UPDATE_README']) {
    writeFileSync(path, `${before}<!-- ${name} -->\n\n${draw()}\n\n<!-- /${name} -->${after}`);
    return;
  }
  expect(shown.trim()).toBe(draw());
});
