// Uploads: a list that is worked through, each file whole or not at all. Small files are one PUT; large ones are sent to an upload of the
// server's (docs/webdav.md, "Uploads that can be resumed"), which can be asked how far it is after a connection broke.

import { below_of, child, DavError, make_folder, name_of, parent_of, reason, root, send } from './dav';
import { Conflicts } from './dialogs';
import { button, h, say } from './dom';
import { free_name, size_text } from './names';

const kWhole = 4 << 20; // bytes: smaller files are sent again from the start
const kAtOnce = 2;
const kRetries = 5;

export interface Source {
  file: File;
  /** Folder that the names of `below` begin from, and what is below it: "a/b/" or "". */
  folder: string;
  below: string;
}

type State = 'waits' | 'sends' | 'paused' | 'failed' | 'done' | 'cancelled';

interface Progress {
  (sent: number): void;
}

/** One request with progress. Status 0 (DavError): the connection broke, or `signal` ended it. */
function transmit(method: string, path: string, headers: Record<string, string>, body: Blob, progress: Progress, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, fail) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded);
    const broken = () => fail(new DavError(0, reason(0)));
    request.onerror = request.onabort = broken;
    request.onload = () =>
      request.status >= 200 && request.status < 300 ? resolve() : fail(new DavError(request.status, reason(request.status, request.responseText)));
    signal.addEventListener('abort', () => request.abort());
    if (signal.aborted) broken();
    else request.send(body);
  });
}

class Upload {
  state: State = 'waits';
  sent = 0;
  private path: string;
  private resource = ''; // of the server, that takes the parts; empty: none yet
  private condition: Record<string, string> = { 'If-None-Match': '*' };
  private abort = new AbortController();
  private readonly bar: HTMLProgressElement;
  private readonly note = h('span', { class: 'note' });
  private readonly toggle: HTMLButtonElement;
  readonly row: HTMLElement;

  constructor(readonly source: Source, private readonly conflicts: Conflicts, private readonly list: Uploads) {
    const name = source.below + source.file.name;
    this.path = child(below_of(source.folder, source.below), source.file.name);
    this.bar = h('progress', { max: Math.max(1, source.file.size), value: 0, 'aria-label': name });
    this.toggle = button('Pause', () => (this.state === 'paused' || this.state === 'failed' ? this.resume() : this.pause()), { 'aria-label': `Pause ${name}` });
    this.row = h('li', {}, h('span', { class: 'name' }, name), this.bar, this.note, this.toggle, button('Cancel', () => void this.cancel(), { 'aria-label': `Cancel ${name}` }));
  }

  private show(state: State, note = ''): void {
    this.state = state;
    this.note.textContent = note;
    const stopped = state === 'paused' || state === 'failed';
    this.toggle.textContent = stopped ? 'Resume' : 'Pause';
    this.toggle.setAttribute('aria-label', `${stopped ? 'Resume' : 'Pause'} ${this.source.file.name}`);
    this.row.classList.toggle('failed', state === 'failed');
    if (state === 'done' || state === 'cancelled') this.row.remove();
    this.list.changed();
  }
  private progress(sent: number): void {
    this.sent = sent;
    this.bar.value = sent;
    this.note.textContent = `${size_text(sent)} of ${size_text(this.source.file.size)}`;
    this.list.moved();
  }
  private pause(): void {
    if (this.state !== 'waits' && this.state !== 'sends') return;
    this.show('paused', 'paused');
    this.abort.abort();
  }
  private resume(): void {
    this.abort = new AbortController();
    this.show('waits');
    this.list.work();
  }
  async cancel(): Promise<void> {
    this.show('cancelled');
    this.abort.abort();
    const resource = this.resource;
    this.resource = '';
    if (resource) await send('DELETE', resource).catch(() => undefined); // the server forgets it later by itself
  }

  /** Sends until it is there, or stops. */
  async run(): Promise<void> {
    this.show('sends');
    const signal = this.abort.signal;
    for (let tries = 0; this.state === 'sends' && !signal.aborted; ) {
      const before = this.sent;
      try {
        await this.list.make_folders(this.source);
        await (this.source.file.size > kWhole ? this.send_parts(signal) : this.send_whole(signal));
        if (this.state === 'sends') this.show('done');
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof DavError)) throw error;
        if (error.status === 412) {
          if (!(await this.taken())) return;
        } else if (this.resource && (error.status === 404 || error.status === 409)) {
          // The server has forgotten it, or has another length of it: send_parts() asks, and begins anew if it must.
          if (error.status === 404) this.resource = '';
          if (++tries > kRetries) return this.show('failed', error.message);
        } else if ((error.status === 0 || error.status >= 502) && ++tries <= kRetries) {
          if (this.sent > before) tries = 1;
          this.note.textContent = 'the connection broke; trying again…';
          await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
        } else {
          return this.show('failed', error.message);
        }
      }
    }
  }

  private send_whole(signal: AbortSignal): Promise<void> {
    return transmit('PUT', this.path, this.headers(), this.source.file, (sent) => this.progress(sent), signal);
  }
  private async send_parts(signal: AbortSignal): Promise<void> {
    const file = this.source.file;
    let offset = 0;
    if (this.resource) {
      const state = await send('HEAD', this.resource);
      offset = Number(state.headers.get('Upload-Offset'));
    } else {
      const made = await send('PUT', this.path, { ...this.condition, 'Upload-Complete': '?0', 'Upload-Length': String(file.size) });
      const place = made.headers.get('Location');
      if (!place?.startsWith(root)) throw new DavError(500, reason(500));
      this.resource = place;
    }
    this.progress(offset);
    const headers = { ...this.headers(), 'Content-Type': 'application/partial-upload', 'Upload-Offset': String(offset), 'Upload-Complete': '?1' };
    await transmit('PATCH', this.resource, headers, file.slice(offset), (sent) => this.progress(offset + sent), signal);
    this.resource = '';
  }
  private headers(): Record<string, string> {
    return { ...this.condition, 'X-OC-Mtime': String(Math.floor(this.source.file.lastModified / 1000)) };
  }

  /** The name is taken. False: this upload ends. */
  private async taken(): Promise<boolean> {
    switch (await this.conflicts.ask(name_of(this.path), false)) {
      case 'replace':
        this.condition = {}; // a folder is not replaced so: the server refuses
        return true;
      case 'both': {
        if (this.resource) await this.drop();
        const folder = parent_of(this.path);
        this.path = child(folder, free_name(name_of(this.path), (name) => this.list.is_taken(folder, name)));
        return true;
      }
      case 'skip':
        await this.cancel();
        return false;
      case 'stop':
        await this.list.cancel_all(this.conflicts);
        return false;
    }
  }
  private async drop(): Promise<void> {
    await send('DELETE', this.resource).catch(() => undefined);
    this.resource = '';
  }
  belongs_to(conflicts: Conflicts): boolean {
    return this.conflicts === conflicts;
  }
}

export class Uploads {
  readonly element = h('section', { 'aria-label': 'Uploads', class: 'uploads', hidden: true });
  private all: Upload[] = [];
  private readonly rows = h('ul');
  private readonly whole = h('progress', { max: 1, value: 0, 'aria-label': 'All uploads' });
  private readonly text = h('span', { class: 'note' });
  private folders = new Map<string, Promise<boolean>>();
  private readonly tried = new Set<string>();

  /** `done`: files have come to a folder. `taken`: whether a name is seen there. */
  constructor(private readonly done: (folder: string) => void, private readonly taken: (folder: string, name: string) => boolean) {
    this.element.append(h('div', { class: 'whole' }, h('h2', {}, 'Uploads'), this.whole, this.text, button('Cancel all', () => void this.cancel_all())), this.rows);
    addEventListener('beforeunload', (event) => {
      if (this.all.some((upload) => upload.state !== 'done' && upload.state !== 'cancelled')) event.preventDefault();
    });
  }

  add(sources: Source[]): void {
    const conflicts = new Conflicts();
    for (const source of sources) this.all.push(new Upload(source, conflicts, this));
    this.element.hidden = this.all.length === 0;
    this.work();
  }
  /** Has as many run as may. */
  work(): void {
    const running = this.all.filter((upload) => upload.state === 'sends').length;
    for (const upload of this.all.filter((one) => one.state === 'waits').slice(0, Math.max(0, kAtOnce - running))) {
      this.rows.append(upload.row);
      void upload.run().then(() => {
        if (upload.state === 'done') this.done(upload.source.folder);
        this.work();
      });
    }
  }
  is_taken(folder: string, name: string): boolean {
    // A name that was found taken once is not tried again.
    const key = folder + '\n' + name;
    if (this.taken(folder, name) || this.tried.has(key)) return true;
    this.tried.add(key);
    return false;
  }
  /** The folders above a file, each made once. */
  async make_folders(source: Source): Promise<void> {
    let at = source.folder;
    for (const name of source.below.split('/').filter(Boolean)) {
      at = child(at, name, true);
      const folder = at;
      let made = this.folders.get(folder);
      if (!made) this.folders.set(folder, (made = make_folder(folder)));
      await made.catch((error) => {
        this.folders.delete(folder);
        throw error;
      });
    }
  }
  async cancel_all(of?: Conflicts): Promise<void> {
    await Promise.all(this.all.filter((upload) => (!of || upload.belongs_to(of)) && upload.state !== 'done').map((upload) => upload.cancel()));
  }
  moved(): void {
    const counted = this.all.filter((upload) => upload.state !== 'cancelled');
    const size = counted.reduce((sum, upload) => sum + upload.source.file.size, 0);
    const sent = counted.reduce((sum, upload) => sum + (upload.state === 'done' ? upload.source.file.size : upload.sent), 0);
    this.whole.max = Math.max(1, size);
    this.whole.value = size ? sent : 1;
    this.text.textContent = `${counted.filter((upload) => upload.state === 'done').length} of ${counted.length} files, ${size_text(sent)} of ${size_text(size)}`;
  }
  changed(): void {
    this.moved();
    if (this.all.some((upload) => upload.state !== 'done' && upload.state !== 'cancelled')) return;
    const count = this.all.filter((upload) => upload.state === 'done').length;
    if (count) say(count === 1 ? 'One file was uploaded.' : `${count} files were uploaded.`);
    this.all = [];
    this.folders = new Map();
    this.tried.clear();
    this.element.hidden = true;
  }
}

/** Files and folders that were dropped. */
export async function dropped_sources(data: DataTransfer, folder: string): Promise<Source[]> {
  const sources: Source[] = [];
  // The list is empty after the first wait.
  const entries: FileSystemEntry[] = [];
  for (const item of Array.from(data.items)) {
    const entry = item.webkitGetAsEntry();
    const file = entry ? null : item.getAsFile(); // a program's own, of no folder
    if (entry) entries.push(entry);
    if (file) sources.push({ file, folder, below: '' });
  }
  const walk = async (entry: FileSystemEntry, below: string): Promise<void> => {
    if (entry.isFile) {
      const file = await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
      sources.push({ file, folder, below });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    const inside = `${below}${entry.name}/`;
    let any = false;
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
      if (!some.length) break;
      any = true;
      for (const one of some) await walk(one, inside);
    }
    if (!any) {
      for (let at = folder, names = inside.split('/').filter(Boolean); names.length; ) await make_folder((at = child(at, names.shift()!, true)));
    }
  };
  for (const entry of entries) await walk(entry, '');
  return sources;
}

/** Files of an <input>; of a folder's with their paths. */
export function picked_sources(files: FileList, folder: string): Source[] {
  return Array.from(files, (file) => ({ file, folder, below: file.webkitRelativePath.split('/').slice(0, -1).map((name) => name + '/').join('') }));
}
