import { answerDevice, createSandbox, type ConsentAnswer, type FaultSwitch } from 'mortise/sandbox';
import { createClient, OAUTH, type Changes } from './sandbox-client.js';

export const ISSUER = 'https://login.example';
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** A device at the sandbox, the person beside it, and time, which the test lets pass. */
export function startDevice(...faults: FaultSwitch[]) {
  let nowMs = 1_700_000_000_000;
  const sandbox = createSandbox({ provider: 'oauth', faults, nowMs: () => nowMs });
  const client = createClient(sandbox, OAUTH);
  return {
    ...client,
    sandbox,
    pass: (ms: number) => void (nowMs += ms),
    begin: (changes: Changes = {}, headers = {}) =>
      client.post(
        `${ISSUER}/device_authorization`,
        { client_id: 'plug-in', scope: 'data:read data:write', ...changes },
        headers,
      ),
    poll: (deviceCode: string, changes: Changes = {}, headers = {}) =>
      client.post(
        OAUTH.token,
        { grant_type: GRANT, client_id: 'plug-in', device_code: deviceCode, ...changes },
        headers,
      ),
    answer: (userCode: string, answer: Partial<ConsentAnswer> = {}) =>
      answerDevice(
        sandbox,
        { verificationUri: `${ISSUER}/device`, userCode },
        { decision: 'allow', ...answer },
      ),
  };
}
