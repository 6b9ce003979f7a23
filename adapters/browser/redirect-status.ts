import type { Page } from './popup-window.js';

/** Text alone, which no policy has to trust; a screen reader tells each. */
export function showStatus(text: string, { document }: Page): void {
  let status = document.querySelector('[role=status]');
  if (!status) {
    status = document.createElement('p');
    status.setAttribute('role', 'status');
    (document.body ?? document.documentElement).append(status);
  }
  status.textContent = text;
}
