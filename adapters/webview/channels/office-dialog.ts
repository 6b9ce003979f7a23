import { createListeners, type Channel } from '../channel.js';
import { needFunction } from './globals.js';

/**
 * A page in a dialog of an Office add-in: `messageParent` there, `dialog.messageChild` in the page that opened it, which
 * serves the panel. Both have to be of one domain.
 */
export function officeDialogChannel(): Channel {
  const listeners = createListeners();
  let isListening = false;
  const listen = () => {
    const office = (globalThis as { Office?: { EventType?: Record<string, unknown> } }).Office;
    const type =
      office?.EventType?.['DialogParentMessageReceived'] ?? 'dialogParentMessageReceived';
    const hear = (event: { readonly message?: unknown }) => listeners.tell(event.message);
    needFunction('Office.context.ui.addHandlerAsync')(type, hear);
    isListening = true;
  };
  return {
    send: (text) => void needFunction('Office.context.ui.messageParent')(text),
    onMessage(listener) {
      // There is no way to take a handler back, so one serves all.
      if (!isListening) listen();
      return listeners.add(listener);
    },
  };
}
