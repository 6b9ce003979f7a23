/** What stands for a value in a query. */
export type Value =
  | { readonly kind: 'constant'; readonly value: unknown }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Value[] }
  | { readonly kind: 'object'; readonly members: ReadonlyArray<readonly [string, Value]> };

export interface Field {
  readonly kind: 'field';
  /** As the answer calls it. */
  readonly alias: string;
  readonly name: string;
  readonly args: ReadonlyArray<readonly [string, Value]>;
  /** Empty for a field without braces. */
  readonly selections: readonly Selection[];
}

export interface Fragment {
  readonly kind: 'fragment';
  /** Left out where it is written on the spot. */
  readonly on: string | undefined;
  readonly selections: readonly Selection[];
}

export type Selection = Field | Fragment | { readonly kind: 'spread'; readonly name: string };

export interface VariableRule {
  readonly name: string;
  /** As it is written: `[String!]!`. */
  readonly type: string;
  /** `undefined` when none is given. */
  readonly preset: unknown;
}

export interface Operation {
  readonly type: 'Query' | 'Mutation' | 'Subscription';
  readonly name: string | undefined;
  readonly variables: readonly VariableRule[];
  readonly selections: readonly Selection[];
}

export interface Document {
  readonly operations: readonly Operation[];
  readonly fragments: ReadonlyMap<string, Fragment>;
}

/** By name; what was not sent is not in it. */
export type Variables = ReadonlyMap<string, unknown>;
export const NONE: Variables = new Map();

const ROOTS = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' } as const;

/** Blanks and comments, then one token or the end. */
const TOKEN =
  /(?:[\s,\uFEFF]|#[^\n\r]*(?:[\n\r]|$))*("""[^]*?"""|"(?:\\.|[^"\\\n\r])*"|\.{3}|[!$&()|:=@[\]{}]|[A-Za-z_]\w*|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|$)/y;
const NAME = /^[A-Za-z_]/;
const END = '';

function tokensOf(text: string): string[] {
  const pattern = new RegExp(TOKEN);
  const tokens: string[] = [];
  for (;;) {
    const token = pattern.exec(text)?.[1];
    if (token === undefined) throw new SyntaxError('Syntax Error: Unexpected character.');
    if (token === END) return tokens;
    tokens.push(token);
  }
}

/** Queries as the GraphQL specification writes them, without directives. @throws SyntaxError */
export function readDocument(text: string): Document {
  const tokens = tokensOf(text);
  let at = 0;

  const peek = () => tokens[at] ?? END;
  function fail(): never {
    throw new SyntaxError(`Syntax Error: Unexpected ${peek() === END ? '<EOF>' : peek()}.`);
  }
  function skip(token: string): boolean {
    if (peek() !== token) return false;
    at += 1;
    return true;
  }
  function expect(token: string): void {
    if (!skip(token)) fail();
  }
  function take(): string {
    if (peek() === END) fail();
    at += 1;
    return tokens[at - 1] ?? END;
  }
  const name = (): string => (NAME.test(peek()) ? take() : fail());
  function until<T>(close: string, read: () => T): T[] {
    const found: T[] = [];
    while (!skip(close)) found.push(read());
    return found;
  }
  function some<T>(open: string, close: string, read: () => T): T[] {
    expect(open);
    return [read(), ...until(close, read)];
  }

  function value(): Value {
    if (skip('$')) return { kind: 'variable', name: name() };
    if (skip('[')) return { kind: 'list', items: until(']', value) };
    if (skip('{')) return { kind: 'object', members: until('}', named) };
    const token = peek();
    if (token.startsWith('"""')) return { kind: 'constant', value: take().slice(3, -3) };
    if (!/^["\d-]/.test(token)) {
      const word = name();
      const words: Record<string, unknown> = { true: true, false: false, null: null };
      return { kind: 'constant', value: Object.hasOwn(words, word) ? words[word] : word };
    }
    return { kind: 'constant', value: JSON.parse(take()) };
  }
  function named(): readonly [string, Value] {
    const key = name();
    expect(':');
    return [key, value()];
  }

  const selectionSet = (): Selection[] => some('{', '}', selection);
  function selection(): Selection {
    if (skip('...')) {
      if (peek() !== 'on' && NAME.test(peek())) return { kind: 'spread', name: name() };
      return { kind: 'fragment', on: skip('on') ? name() : undefined, selections: selectionSet() };
    }
    const first = name();
    const isAlias = skip(':');
    return {
      kind: 'field',
      alias: first,
      name: isAlias ? name() : first,
      args: peek() === '(' ? some('(', ')', named) : [],
      selections: peek() === '{' ? selectionSet() : [],
    };
  }

  function typeName(): string {
    const inner = skip('[') ? `[${typeName()}` : name();
    if (inner.startsWith('[')) expect(']');
    const whole = inner.startsWith('[') ? `${inner}]` : inner;
    return skip('!') ? `${whole}!` : whole;
  }
  function variable(): VariableRule {
    expect('$');
    const key = name();
    expect(':');
    const type = typeName();
    if (!skip('=')) return { name: key, type, preset: undefined };
    const preset = value();
    return preset.kind === 'variable' ? fail() : { name: key, type, preset: valueOf(preset, NONE) };
  }
  function operation(): Operation {
    if (peek() === '{') {
      return { type: 'Query', name: undefined, variables: [], selections: selectionSet() };
    }
    const root = Object.entries(ROOTS).find(([keyword]) => skip(keyword))?.[1] ?? fail();
    return {
      type: root,
      name: NAME.test(peek()) ? name() : undefined,
      variables: peek() === '(' ? some('(', ')', variable) : [],
      selections: selectionSet(),
    };
  }

  const operations: Operation[] = [];
  const fragments = new Map<string, Fragment>();
  do {
    if (skip('fragment')) {
      const key = name();
      expect('on');
      fragments.set(key, { kind: 'fragment', on: name(), selections: selectionSet() });
    } else operations.push(operation());
  } while (peek() !== END);
  return { operations, fragments };
}

/** `undefined` for a variable that was not sent. */
export function valueOf(value: Value, variables: Variables): unknown {
  switch (value.kind) {
    case 'constant':
      return value.value;
    case 'variable':
      return variables.get(value.name);
    case 'list':
      return value.items.map((item) => valueOf(item, variables) ?? null);
    case 'object':
      return Object.fromEntries(
        value.members.map(([key, item]) => [key, valueOf(item, variables)]),
      );
  }
}
