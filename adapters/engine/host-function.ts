import { MortiseError } from '../../src/errors.js';

/**
 * The one function the host lends: a method, its parameters as JSON, and an answer as JSON, at once or as a
 * promise. README.md says what each method is to do. It may throw and reject; nothing of that is passed on.
 */
export type HostCall = (method: string, paramsJson: string) => string | PromiseLike<string>;

/** What the host answered: a result, or the code of why there is none. */
export type HostAnswer =
  | { readonly refused: null; readonly result: unknown }
  | { readonly refused: string; readonly ports: readonly number[] };

type Params = Readonly<Record<string, unknown>>;

/** The host's function, with every answer parsed: it is believed no more than a server is. */
export interface HostFunction {
  /**
   * Settles as the host does, or when `signal` is aborted; the host is then told with `cancel`.
   *
   * @throws {MortiseError} `bridge_unavailable` for what is no answer, `aborted`.
   */
  ask(method: string, params: Params, signal?: AbortSignal): Promise<HostAnswer>;
  /** For what cannot wait. @throws {MortiseError} `bridge_unavailable`, for a promise too. */
  askNow(method: string, params: Params): HostAnswer;
  /** Nobody waits for the answer, nor for it to fail. */
  tell(method: string, params: Params): void;
  /** Names one thing under way, so that it can be cancelled. Never used twice. */
  nextId(): number;
  /** Called after each answer: who has no timers looks at the clock then. */
  onAnswer(listener: () => void): void;
}

/** 32 Mi characters: larger bodies come in pieces. */
const MAX_ANSWER_LENGTH = 32 * 1024 * 1024;
const MAX_CODE_LENGTH = 40;

export function createHostFunction(call: HostCall): HostFunction {
  let lastId = 0;
  let listener = () => {};

  // The host's own words end here: what it throws may quote what it was given.
  const callHost = (method: string, params: Params): unknown => {
    try {
      return call(method, JSON.stringify(params));
    } catch {
      throw unusable(method, 'the host function threw');
    }
  };

  const settle = async (method: string, params: Params): Promise<HostAnswer> => {
    const answer = callHost(method, params);
    let text: unknown;
    try {
      text = await answer;
    } catch {
      throw unusable(method, 'the host function rejected');
    }
    listener();
    return readAnswer(method, text);
  };

  const tell = (method: string, params: Params) => void settle(method, params).catch(() => {});

  return {
    async ask(method, params, signal) {
      if (!signal) return settle(method, params);
      if (signal.aborted) throw new MortiseError('aborted', {});
      let leave = () => {};
      const left = new Promise<never>((_, reject) => {
        leave = () => {
          tell('cancel', { id: params['id'] });
          reject(new MortiseError('aborted', {}));
        };
      });
      signal.addEventListener('abort', leave);
      try {
        return await Promise.race([settle(method, params), left]);
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },
    askNow(method, params) {
      const answer = callHost(method, params);
      // A promise comes too late. Should it reject, that ends no program.
      if (typeof answer !== 'string') void hush(answer);
      return readAnswer(method, answer);
    },
    tell,
    nextId: () => (lastId += 1),
    onAnswer: (next) => void (listener = next),
  };
}

async function hush(answer: unknown): Promise<void> {
  try {
    await answer;
  } catch {
    // Nobody waits for it.
  }
}

function readAnswer(method: string, text: unknown): HostAnswer {
  if (typeof text !== 'string') throw unusable(method, 'the answer is no text');
  if (text.length > MAX_ANSWER_LENGTH) throw unusable(method, 'the answer is too long');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw unusable(method, 'the answer is no JSON');
  }
  const { result, error } = fieldsOf(parsed);
  if (error === undefined) {
    if (result === undefined) throw unusable(method, 'the answer has neither result nor error');
    return { refused: null, result };
  }
  const { code, ports } = fieldsOf(error);
  const isCode = typeof code === 'string' && code.length <= MAX_CODE_LENGTH;
  const isPort = (port: unknown): port is number => Number.isInteger(port);
  return {
    refused: isCode ? code : 'failed',
    ports: Array.isArray(ports) ? ports.slice(0, 20).filter(isPort) : [],
  };
}

/** The fields of a record; of anything else, none. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** What the host gave cannot be used. `problem` is ours: nothing that was received is in it. */
export function unusable(method: string, problem: string): MortiseError<'bridge_unavailable'> {
  return new MortiseError(
    'bridge_unavailable',
    { problem: `${method}: ${problem}` },
    { hint: 'Restart the program. If it stays, tell the plug-in’s author.' },
  );
}
