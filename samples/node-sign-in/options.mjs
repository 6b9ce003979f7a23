import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MortiseError } from 'mortise';

export const USAGE = `npm start                                                   the sandbox: no account needed
npm start -- --sign-out                                     forgets the session
npm start -- --provider prevu3d --client-id ID              the real platform
npm start -- --issuer URL --client-id ID [--scope "a b"]    any OAuth or OpenID server
More: --environment preproduction, --redirect-uri URI, --port N (of the sandbox), --help
A client secret, where there is one, comes in the environment: CLIENT_SECRET.`;

/** @returns What was asked for, or `null` for help. */
export function readOptions(args) {
  const values = parse(args);
  if (values.help) return null;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw mistake('--port is no port');
  if ((values.issuer || values.provider) && !values['client-id']) {
    throw mistake('--client-id is missing');
  }
  return {
    args: args.filter((arg) => arg !== '--sign-out').map(quote),
    signOut: values['sign-out'],
    provider: values.provider,
    environment: values.environment,
    issuer: values.issuer,
    clientId: values['client-id'],
    clientSecret: takeSecret(),
    redirectUri: values['redirect-uri'],
    scopes: values.scope?.split(' ').filter(Boolean),
    port,
  };
}

function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: 'boolean', default: false },
        'sign-out': { type: 'boolean', default: false },
        provider: { type: 'string' },
        environment: { type: 'string' },
        issuer: { type: 'string' },
        'client-id': { type: 'string' },
        'redirect-uri': { type: 'string' },
        scope: { type: 'string' },
        port: { type: 'string', default: '47811' },
      },
    }).values;
  } catch ({ message }) {
    throw mistake(message.split('. ')[0]);
  }
}

const mistake = (problem) =>
  new MortiseError('configuration_error', { problem }, { hint: `\n${USAGE}` });

const quote = (arg) => (/^[\w.:/=@-]+$/.test(arg) ? arg : `'${arg}'`);

/** Out of the environment, which the browser inherits: it has no use for the secret. */
function takeSecret() {
  const { CLIENT_SECRET: secret } = process.env;
  delete process.env.CLIENT_SECRET;
  return secret;
}

/** A folder of this user on this machine: not one that roams, not the current folder. */
export function stateDirectory() {
  const { platform, env } = process;
  const name = 'mortise-sample';
  if (platform === 'win32') {
    return join(env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), name);
  }
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', name);
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), name);
}
