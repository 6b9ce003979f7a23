import type { Channel } from './channel.js';
import { unavailable } from '../protocol/wire-error.js';
import { archicadChannel } from './archicad.js';
import { cefQueryChannel } from './cef-query.js';
import { cefSharpChannel } from './cef-sharp.js';
import { electronChannel } from './electron.js';
import { fusionChannel } from './fusion.js';
import { findFunction } from './globals.js';
import { qtWebChannel } from './qt-web-channel.js';
import { sketchUpChannel } from './sketchup.js';
import { vsCodeChannel } from './vs-code.js';
import { webKitChannel } from './webkit.js';
import { webView2Channel } from './webview2.js';

export interface DetectChannelOptions {
  /** Of the message handler, action callback, object or exposed API, where the bridge has names. Default `mortise`. */
  readonly name?: string;
}

interface Candidate {
  /** Functions of which one has to be there. */
  readonly needs: readonly string[];
  readonly create: () => Channel;
}

/** The most particular first: an engine may have what another is known by. */
const candidates = (name: string): readonly Candidate[] => [
  { needs: [`${name}.send`], create: () => electronChannel({ name }) },
  { needs: ['adsk.fusionSendData'], create: fusionChannel },
  { needs: [`sketchup.${name}`], create: () => sketchUpChannel({ name }) },
  { needs: [`ACAPI.${name}`], create: () => archicadChannel({ method: name }) },
  { needs: ['acquireVsCodeApi'], create: () => vsCodeChannel() },
  { needs: ['chrome.webview.postMessage'], create: webView2Channel },
  { needs: ['CefSharp.PostMessage', 'cefSharp.postMessage'], create: cefSharpChannel },
  { needs: ['cefQuery'], create: () => cefQueryChannel() },
  {
    needs: [`webkit.messageHandlers.${name}.postMessage`],
    create: () => webKitChannel({ name }),
  },
  { needs: ['qt.webChannelTransport.send'], create: () => qtWebChannel({ object: name }) },
];

/**
 * The bridge that this page has, found by what is there and never by the name of a browser. A frame in a page has none of
 * its own: `windowChannel({ origin })` needs to be told of whom. A dialog of Office is not found either: every page with
 * Office.js has `messageParent`, and none says that it is a dialog, so that takes `officeDialogChannel()`.
 *
 * @throws {MortiseError} `bridge_unavailable`, which names everything that was looked for.
 */
export function detectChannel({ name = 'mortise' }: DetectChannelOptions = {}): Channel {
  const known = candidates(name);
  const found = known.find(({ needs }) => needs.some((path) => findFunction(path)));
  if (found) return found.create();
  const looked = known.flatMap(({ needs }) => needs).join(', ');
  throw unavailable(`this page has none of ${looked}`);
}
