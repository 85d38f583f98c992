// A text editor that does not overwrite what it has not seen: it saves with If-Match.

import { child, DavError, Item, parent_of, reason, send } from './dav';
import { ask, confirm_that } from './dialogs';
import { button, h } from './dom';
import { free_name } from './names';

export const kEditLimit = 2 << 20; // bytes

interface Text {
  text: string;
  etag: string;
  line_end: '\n' | '\r\n';
}

async function load(path: string): Promise<Text> {
  const answer = await send('GET', path);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await answer.arrayBuffer());
  } catch {
    throw new DavError(0, 'This is no text in UTF-8; editing would damage it.');
  }
  // A text field knows one kind of line end. Where a file has several, saving would change lines that nobody touched.
  const pairs = text.split('\r\n').length - 1;
  const others = text.replace(/\r\n/g, '').match(/[\r\n]/g)?.length ?? 0;
  if ((pairs && others) || /\r(?!\n)/.test(text) || text.includes('\0')) throw new DavError(0, 'Its line ends are mixed; editing would change them.');
  return { text: text.replace(/\r\n/g, '\n'), etag: answer.headers.get('ETag') ?? '', line_end: pairs ? '\r\n' : '\n' };
}

type Choice = 'mine' | 'theirs' | 'copy' | 'back';
async function ask_conflict(): Promise<Choice> {
  const choice = await ask<Choice>('Somebody else has changed this file', (close) => [
    h('p', {}, 'It is not what it was when you opened it.'),
    h('footer', {},
      button('Back to the text', () => close('back'), { autofocus: true }),
      button('Save mine as a copy', () => close('copy')),
      button('Load theirs', () => close('theirs')),
      button('Overwrite theirs', () => close('mine'), { class: 'danger' })),
  ]);
  return choice ?? 'back';
}

/** True: something was saved. */
export async function edit(item: Item, taken: (name: string) => boolean): Promise<boolean> {
  let file = await load(item.path);
  let saved_any = false;
  await ask<void>(item.name, (close) => {
    const area = h('textarea', { 'aria-label': `Text of ${item.name}`, spellcheck: 'false', autofocus: true });
    const note = h('p', { role: 'status' });
    area.value = file.text;
    const dirty = () => area.value !== file.text;
    const keep = (event: BeforeUnloadEvent) => {
      if (dirty()) event.preventDefault();
    };
    addEventListener('beforeunload', keep);

    let busy = false;
    const put = async (path: string, condition: Record<string, string>) => {
      const text = area.value;
      const answer = await send('PUT', path, condition, text.replace(/\n/g, file.line_end));
      saved_any = true;
      return { text, etag: answer.headers.get('ETag') ?? '', line_end: file.line_end };
    };
    const save = async () => {
      if (busy) return;
      busy = true;
      note.textContent = 'Saving…';
      try {
        // Without an ETag nobody could tell whether the file is still the same.
        if (!file.etag) throw new DavError(0, 'The server does not say which version this is; close and open it again.');
        file = await put(item.path, { 'If-Match': file.etag });
        note.textContent = 'Saved.';
      } catch (error) {
        if (error instanceof DavError && error.status === 412) await conflict();
        else note.textContent = error instanceof Error ? error.message : reason(0);
      }
      busy = false;
    };
    const conflict = async () => {
      note.textContent = '';
      try {
        switch (await ask_conflict()) {
          case 'mine':
            // The version that is there now is the one that is overwritten, and no later one.
            try {
              const now = (await send('HEAD', item.path)).headers.get('ETag') ?? '';
              file = await put(item.path, { 'If-Match': now });
            } catch (error) {
              if (!(error instanceof DavError) || error.status !== 404) throw error;
              file = await put(item.path, { 'If-None-Match': '*' });
            }
            note.textContent = 'Saved.';
            break;
          case 'theirs':
            file = await load(item.path);
            area.value = file.text;
            note.textContent = 'Loaded.';
            break;
          case 'copy': {
            const name = free_name(item.name, taken);
            await put(child(parent_of(item.path), name), { 'If-None-Match': '*' });
            note.textContent = `Saved as ${name}.`;
            break;
          }
          case 'back':
            note.textContent = 'Not saved.';
        }
      } catch (error) {
        note.textContent = error instanceof Error ? error.message : reason(0);
      }
    };
    const leave = async () => {
      if (dirty() && !(await confirm_that('Leave without saving?', 'What you have changed is lost.', 'Leave'))) return;
      close();
    };
    queueMicrotask(() => {
      const dialog = area.closest('dialog');
      dialog?.addEventListener('close', () => removeEventListener('beforeunload', keep));
      dialog?.addEventListener('cancel', (event) => {
        event.preventDefault();
        void leave();
      });
      dialog?.addEventListener('keydown', (event) => {
        if (event.key.toLowerCase() !== 's' || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        void save();
      });
    });
    return [area, note, h('footer', {}, button('Close', () => void leave()), button('Save', () => void save(), { class: 'main' }))];
  }, 'wide');
  return saved_any;
}
