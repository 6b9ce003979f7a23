import { createListeners, type Channel } from './channel.js';
import { hearReply, needFunction } from './globals.js';

const ACTION = 'mortise';

type Handler = { handle?: (action: string, data: string) => unknown };

/**
 * Palettes of Autodesk Fusion: `incomingFromHTML` in the host, which answers by `palette.sendInfoToHTML("mortise", text)`
 * or by `returnData`. A handler that the page has for its own actions goes on working.
 */
export function fusionChannel(): Channel {
  const replies = createListeners();
  return {
    send: (text) => hearReply(needFunction('adsk.fusionSendData')(ACTION, text), replies.tell),
    onMessage(listener) {
      const page = globalThis as { fusionJavaScriptHandler?: Handler };
      const stopReplies = replies.add(listener);
      const told = createListeners();
      const stop = told.add(listener);
      const before = page.fusionJavaScriptHandler;
      const own: Handler = {
        handle(action, data) {
          if (action === ACTION) hearReply(data, told.tell);
          // Nothing at all counts as a failure there.
          return (before?.handle && before.handle(action, data)) || 'OK';
        },
      };
      page.fusionJavaScriptHandler = own;
      return () => {
        stop();
        stopReplies();
        if (page.fusionJavaScriptHandler !== own) return;
        if (before) page.fusionJavaScriptHandler = before;
        else delete page.fusionJavaScriptHandler;
      };
    },
  };
}
