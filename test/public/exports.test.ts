// The names each entry promises. Here and in every file of this folder: public entries only, since the
// folder runs on the sources and again on the built package.
import * as core from 'mortise';
import * as browser from 'mortise/browser';
import * as element from 'mortise/element';
import * as engine from 'mortise/engine';
import * as node from 'mortise/node';
import * as oauth from 'mortise/providers/oauth';
import * as aps from 'mortise/providers/aps';
import * as opencde from 'mortise/providers/opencde';
import * as prevu3d from 'mortise/providers/prevu3d';
import * as speckle from 'mortise/providers/speckle';
import * as sandbox from 'mortise/sandbox';
import * as webview from 'mortise/webview';

test.each<[entry: string, exported: object, names: string[]]>([
  [
    'mortise',
    core,
    ['createPluginHost', 'createSession', 'isMortiseError', 'memoryStore', 'MortiseError'],
  ],
  ['mortise/node', node, ['createNodeHost', 'fetchTransport', 'fileStore', 'serveSandbox']],
  [
    'mortise/browser',
    browser,
    ['createBrowserHost', 'deliverRedirect', 'fetchTransport', 'indexedDbStore'],
  ],
  [
    'mortise/webview',
    webview,
    [
      'archicadChannel',
      'cefQueryChannel',
      'cefSharpChannel',
      'createWebviewHost',
      'detectChannel',
      'electronChannel',
      'fetchTransport',
      'fusionChannel',
      'officeDialogChannel',
      'qtWebChannel',
      'sketchUpChannel',
      'vsCodeChannel',
      'webKitChannel',
      'webView2Channel',
      'windowChannel',
    ],
  ],
  ['mortise/engine', engine, ['createEngineHost']],
  ['mortise/element', element, ['define']],
  ['mortise/providers/oauth', oauth, ['oauth']],
  ['mortise/providers/prevu3d', prevu3d, ['prevu3d']],
  ['mortise/providers/speckle', speckle, ['speckle']],
  ['mortise/providers/aps', aps, ['aps']],
  ['mortise/providers/opencde', opencde, ['opencde']],
  ['mortise/sandbox', sandbox, ['createSandbox']],
])('%s exports its functions', (_, exported, names) => {
  const functions = Object.entries(exported).flatMap(([name, value]) =>
    typeof value === 'function' ? [name] : [],
  );
  expect(functions).toEqual(expect.arrayContaining(names));
});

test('mortise exports the state machine as data', () => {
  expect(core.TRANSITIONS).toMatchObject({ signedOut: expect.any(Object) });
  expect(JSON.parse(JSON.stringify(core.TRANSITIONS))).toEqual(core.TRANSITIONS);
});

test('an error is recognised without its class', () => {
  const error = new core.MortiseError('aborted', {});
  expect(error).toBeInstanceOf(Error);
  expect(core.isMortiseError(error)).toBe(true);
  expect(core.isMortiseError(new Error('aborted'))).toBe(false);
});
