// Takes the place of the system's browser, by way of $BROWSER, as a program of its own. Its test puts
// http-browser.mjs, compiled, beside it. What it was given, and where it ended, goes to $PERSON_LOG.
import { appendFileSync } from 'node:fs';
import { createHttpBrowser } from './http-browser.mjs';

const { argv, env } = process;
const { PERSON_LOG: log, PERSON: decision } = env;
const note = (what) => appendFileSync(log, `${JSON.stringify(what)}\n`);

note({ argv: argv.slice(2), env });
if (decision === 'allow' || decision === 'deny') {
  const browser = createHttpBrowser({ decision });
  const redirect = await browser.authorize(argv[2]);
  note({ redirect, page: await browser.load(redirect) });
}
