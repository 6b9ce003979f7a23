import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface OidcClient {
  readonly client_id: string;
  readonly client_secret?: string;
}

/** The two servers of oidc-server.mjs. */
export interface OidcServers {
  readonly issuer: string;
  /** Where the first one listens; its issuer, unless it was started behind something. */
  readonly address: string;
  readonly other: string;
  readonly clients: {
    readonly native: OidcClient;
    readonly shortLived: OidcClient & { readonly client_secret?: never };
    readonly confidential: OidcClient & { readonly client_secret: string };
    readonly device: OidcClient;
    readonly shortDevice: OidcClient;
  };
  /** Resolves when the process is gone. */
  stop(): Promise<void>;
}

/**
 * @param issuer Where the first one is reached, when something stands before it.
 * @throws With what the program has printed, when it ends before it serves.
 */
export async function startOidcServers(issuer?: string): Promise<OidcServers> {
  const child = spawn(process.execPath, [join(__dirname, 'oidc-server.mjs')], {
    env: { ...process.env, NODE_OPTIONS: '', ...(issuer && { ISSUER: issuer }) },
  });
  let warnings = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (warnings += text));
  const exited = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const started = await Promise.race([once(lines, 'line'), exited.then(() => null)]);
  if (!started) throw new Error(`the server did not start:\n${warnings}`);
  return {
    ...JSON.parse(String(started[0])),
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
