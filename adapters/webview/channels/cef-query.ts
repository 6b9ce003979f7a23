import { createListeners, type Channel } from './channel.js';
import { hearReply, needFunction, receiveByScript } from './globals.js';

export interface CefQueryChannelOptions {
  /** As the message router was configured. Default `cefQuery`. */
  readonly name?: string;
}

/** CEF's and JCEF's message router: the reply to a query may be the answer; the rest comes by `mortiseReceive(text)`. */
export function cefQueryChannel({ name = 'cefQuery' }: CefQueryChannelOptions = {}): Channel {
  const replies = createListeners();
  return {
    send(text) {
      needFunction(name)({
        request: text,
        persistent: false,
        onSuccess: (reply: unknown) => hearReply(reply, replies.tell),
        // Whoever waits for an answer has a time limit.
        onFailure: () => {},
      });
    },
    onMessage(listener) {
      const stopReplies = replies.add(listener);
      const stopScript = receiveByScript(listener);
      return () => {
        stopReplies();
        stopScript();
      };
    },
  };
}
