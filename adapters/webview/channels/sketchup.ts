import type { Channel } from './channel.js';
import { scriptChannel } from './globals.js';

export interface SketchUpChannelOptions {
  /** Of the action callback. Default `mortise`. */
  readonly name?: string;
}

/** SketchUp's HtmlDialog: `add_action_callback("mortise")` in Ruby, which answers by `execute_script("mortiseReceive(…)")`. */
export function sketchUpChannel({ name = 'mortise' }: SketchUpChannelOptions = {}): Channel {
  return scriptChannel(`sketchup.${name}`);
}
