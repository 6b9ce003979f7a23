import type { Channel } from './channel.js';
import { scriptChannel } from './globals.js';

export interface ArchicadChannelOptions {
  /** Registered with `RegisterAsynchJSObject`. Default `ACAPI`. */
  readonly object?: string;
  /** Of that object; takes a text and may return one. Default `mortise`. */
  readonly method?: string;
}

/** Archicad's DG::Browser: a method of a registered object, and `ExecuteJS("mortiseReceive(…)")`. */
export function archicadChannel({
  object = 'ACAPI',
  method = 'mortise',
}: ArchicadChannelOptions = {}): Channel {
  return scriptChannel(`${object}.${method}`);
}
