// A look at a file. Its bytes never become a document of this site: pictures, sound and films go to their elements, text into text nodes, a
// PDF into the browser's viewer.

import { DavError, Item, parent_of, reason } from './dav';
import { ask } from './dialogs';
import { button, h } from './dom';
import { markdown } from './markdown';
import { size_text } from './names';

const kTextLimit = 1 << 20; // bytes that are shown
const kPdfLimit = 256 << 20;

async function text_of(item: Item): Promise<[string, boolean]> {
  const answer = await fetch(item.path, { headers: item.size > kTextLimit ? { Range: `bytes=0-${kTextLimit - 1}` } : {}, cache: 'no-store' });
  if (!answer.ok) throw new DavError(answer.status, reason(answer.status));
  return [await answer.text(), item.size > kTextLimit];
}

/** Fills `into`; answers how to free what it holds. */
async function fill(item: Item, into: HTMLElement): Promise<() => void> {
  const failed = () => into.replaceChildren(h('p', { class: 'problem' }, 'The browser cannot show this file.'));
  switch (item.kind) {
    case 'image':
      into.append(h('img', { src: item.path, alt: item.name, error: failed }));
      break;
    case 'audio':
      into.append(h('audio', { src: item.path, controls: true, error: failed }));
      break;
    case 'video':
      into.append(h('video', { src: item.path, controls: true, error: failed }));
      break;
    case 'pdf': {
      if (item.size > kPdfLimit) {
        into.append(h('p', {}, 'This file is too large for a preview.'));
        break;
      }
      const answer = await fetch(item.path, { cache: 'no-store' });
      if (!answer.ok) throw new DavError(answer.status, reason(answer.status));
      // The type is ours, whatever the file is.
      const url = URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: 'application/pdf' }));
      into.append(h('iframe', { src: url, title: item.name }));
      return () => URL.revokeObjectURL(url);
    }
    case 'markdown':
    case 'text': {
      const [text, cut] = await text_of(item);
      into.append(item.kind === 'markdown' ? markdown(text, parent_of(item.path)) : h('pre', { tabindex: 0 }, text));
      if (cut) into.append(h('p', {}, `Only the first ${size_text(kTextLimit)} are shown.`));
      break;
    }
    default:
      into.append(h('p', {}, 'There is no preview of this kind of file.'));
  }
  return () => undefined;
}

/** Shows one after the other of `items`, from `start`. Answers the item that was shown last, and whether it is to be edited. */
export async function preview(items: Item[], start: Item, editable: (item: Item) => boolean): Promise<[Item, boolean]> {
  let at = items.indexOf(start);
  for (;;) {
    const item = items[at];
    let free: () => void = () => undefined;
    let open = true;
    const to = await ask<'next' | 'previous' | 'edit'>(item.name, (close) => {
      const into = h('div', { class: 'view' });
      fill(item, into).then(
        (done) => (open ? (free = done) : done()),
        (error) => into.append(h('p', { class: 'problem', role: 'alert' }, String(error.message))));
      const go = (event: KeyboardEvent) => {
        if (event.target instanceof HTMLMediaElement) return;
        if (event.key === 'ArrowRight' && at + 1 < items.length) close('next');
        if (event.key === 'ArrowLeft' && at > 0) close('previous');
      };
      queueMicrotask(() => into.closest('dialog')?.addEventListener('keydown', go));
      const foot = h('footer', {},
        button('Previous', () => close('previous'), { disabled: at === 0 }),
        button('Next', () => close('next'), { disabled: at + 1 === items.length }),
        editable(item) && button('Edit', () => close('edit')),
        h('a', { href: item.path, target: '_blank', rel: 'noopener noreferrer', class: 'button' }, 'Open in a tab'),
        h('a', { href: item.path, download: item.name, class: 'button' }, 'Download'),
        button('Close', () => close(), { autofocus: true }));
      return [into, foot];
    }, 'wide');
    open = false;
    free();
    if (to === 'next') ++at;
    else if (to === 'previous') --at;
    else return [item, to === 'edit'];
  }
}
