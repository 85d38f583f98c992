// The page: a folder of the served tree, and what can be done there.

import { canonical, child, DavError, exists, Item, list, make_folder, name_of, parent_of, read_only, remove, root, transfer } from './dav';
import { ask, ask_text, Conflicts, confirm_that } from './dialogs';
import { button, complain, h, say, status_line } from './dom';
import { edit, kEditLimit } from './editor';
import { free_name, name_problem } from './names';
import { preview } from './preview';
import { FileTable } from './table';
import { dropped_sources, picked_sources, Uploads } from './upload';

let folder = ''; // path of the one that is shown
let loading = 0; // number of the last load(): an older one's answer is dropped
let clipboard: { verb: 'MOVE' | 'COPY'; items: Item[] } | undefined;

const crumbs = h('nav', { 'aria-label': 'Path' });
const filter = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter by name', autocomplete: 'off' });
const table: FileTable = new FileTable({
  open,
  key: shortcut,
  changed_selection: update_tools,
  dropped_on: (target) => void act(() => bring('MOVE', table.chosen(), target.path)),
});
let reload: number | undefined;
/** Not once for each of a thousand files. */
function load_soon(where: string): void {
  if (where !== folder || reload !== undefined) return;
  reload = setTimeout(() => {
    reload = undefined;
    if (where === folder) load(folder).catch(complain);
  }, 300);
}
const uploads = new Uploads(load_soon, (where, name) => where === folder && table.has(name));

/** Runs what a person asked for, and shows the folder as it is then. */
async function act(what: () => Promise<string | undefined>, focus?: string): Promise<void> {
  try {
    const done = await what();
    await load(folder, focus);
    if (done) say(done);
  } catch (error) {
    await load(folder, focus).catch(() => undefined);
    complain(error);
  }
}

async function load(path: string, focus?: string): Promise<void> {
  const number = ++loading;
  const items = await list(path);
  if (number !== loading) return;
  if (path !== folder) {
    folder = path;
    table.reset();
    filter.value = '';
    document.title = path === root ? '/' : name_of(path);
    show_crumbs();
  }
  table.show(items, focus);
}

async function go(path: string, remember = true, focus?: string): Promise<void> {
  try {
    await load(path, focus);
    if (remember) history.pushState(null, '', path);
    if (focus === undefined) table.focus(0);
    say('');
  } catch (error) {
    complain(error);
  }
}

function show_crumbs(): void {
  const steps: [string, string][] = [];
  for (let at = folder; at !== root; at = parent_of(at)) steps.unshift([at, name_of(at)]);
  steps.unshift([root, '/']);
  crumbs.replaceChildren(h('ol', {}, ...steps.map(([path, name], index) => {
    const last = index + 1 === steps.length;
    const link = h('a', {
      href: path,
      'aria-current': last ? 'page' : undefined,
      click: (event: MouseEvent) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        void go(path, path !== folder);
      },
    }, name);
    return h('li', {}, link);
  })));
}

function editable(item: Item): boolean {
  return !read_only && (item.kind === 'text' || item.kind === 'markdown' || (item.kind === 'other' && item.size === 0)) && item.size <= kEditLimit;
}

function open(item: Item): void {
  if (item.folder) return void go(item.path);
  void (async () => {
    const [last, to_edit] = await preview(table.in_order().filter((one) => !one.folder), item, editable);
    if (to_edit) await edit_item(last);
    else table.focus_item(last);
  })().catch(complain);
}
async function edit_item(item: Item): Promise<void> {
  await act(async () => ((await edit(item, (name) => table.has(name))) ? `${item.name} was saved.` : undefined), item.name);
}

/** Moves or copies to a folder, and asks about names that are taken there. */
async function bring(verb: 'MOVE' | 'COPY', items: Item[], to: string): Promise<string> {
  const conflicts = new Conflicts();
  let done = 0;
  for (const item of items) {
    let name = item.name;
    let overwrite = false;
    const tried = new Set<string>();
    let keep_both = false;
    if (parent_of(item.path) === to) {
      if (verb === 'MOVE') continue; // it is there
      keep_both = true;
    }
    for (;;) {
      if (keep_both) name = free_name(item.name, (other) => tried.has(other));
      tried.add(name);
      try {
        await transfer(verb, item.path, child(to, name, item.folder), overwrite);
        ++done;
        break;
      } catch (error) {
        if (!(error instanceof DavError) || error.status !== 412 || !(await exists(child(to, name)))) throw error;
        if (keep_both) continue;
        const answer = await conflicts.ask(name, item.folder);
        if (answer === 'skip') break;
        if (answer === 'stop') return `${done} of ${items.length} done.`;
        if (answer === 'replace') overwrite = true;
        else keep_both = true;
      }
    }
  }
  return `${done} ${verb === 'MOVE' ? 'moved' : 'copied'}.`;
}

async function new_folder(): Promise<void> {
  const name = await ask_text('New folder', 'Name', '', 'Make', name_problem);
  if (name === undefined) return;
  await act(async () => {
    if (!(await make_folder(child(folder, name, true)))) throw new DavError(405, `“${name}” is there already.`);
    return `${name} was made.`;
  }, name);
}

async function rename(): Promise<void> {
  const [item] = table.chosen();
  if (!item) return;
  const name = await ask_text('Rename', 'New name', item.name, 'Rename', name_problem);
  if (name === undefined || name === item.name) return table.focus_item(item);
  await act(async () => {
    try {
      await transfer('MOVE', item.path, child(folder, name, item.folder), false);
    } catch (error) {
      if (!(error instanceof DavError) || error.status !== 412) throw error;
      if (!(await confirm_that('The name is taken', `“${name}” is there already. Replacing it removes what it holds.`, 'Replace'))) return undefined;
      await transfer('MOVE', item.path, child(folder, name, item.folder), true);
    }
    return `${item.name} is now ${name}.`;
  }, name);
}

async function remove_chosen(): Promise<void> {
  const items = table.chosen();
  if (!items.length) return;
  const what = items.length === 1 ? `“${items[0].name}”` : `${items.length} files and folders`;
  const more = items.some((item) => item.folder) ? ' Folders go with all that is in them.' : '';
  if (!(await confirm_that('Delete', `Delete ${what}?${more} This cannot be undone.`, 'Delete'))) return table.focus();
  await act(async () => {
    for (const item of items) await remove(item.path);
    return items.length === 1 ? `${items[0].name} was deleted.` : `${items.length} were deleted.`;
  });
  table.focus();
}

function take(verb: 'MOVE' | 'COPY'): void {
  const items = table.chosen();
  if (!items.length) return;
  clipboard = { verb, items };
  say(`${items.length} to be ${verb === 'MOVE' ? 'moved' : 'copied'}: go to a folder and paste.`);
  update_tools();
}
async function paste(): Promise<void> {
  if (!clipboard) return;
  const { verb, items } = clipboard;
  if (verb === 'MOVE') clipboard = undefined;
  await act(() => bring(verb, items, folder), items[0].name);
  update_tools();
}

/** Files as they are; a folder as an archive that is made while it comes. */
async function download(): Promise<void> {
  const chosen = table.chosen();
  const folders = chosen.filter((item) => item.folder).map((item) => item.path);
  if (!chosen.length) folders.push(folder);
  const form = folders.length
    ? await ask<'zip' | 'tar'>('Download a folder', (close) => [
      h('p', {}, folders.length > 1 ? `${folders.length} folders, each as one file.` : `“${name_of(folders[0]) || '/'}” as one file.`),
      h('footer', {}, button('Cancel', () => close()), button('tar', () => close('tar')), button('zip', () => close('zip'), { autofocus: true })),
    ])
    : undefined;
  if (folders.length && !form) return;
  const fetch_it = (path: string) => {
    const link = h('a', { href: path, download: '' });
    document.body.append(link);
    link.click();
    link.remove();
  };
  for (const item of chosen) if (!item.folder) fetch_it(item.path);
  for (const path of folders) fetch_it(`${path}?isthmus=${form}`);
}

function help(): void {
  const keys: [string, string][] = [
    ['↑ ↓ Page Home End', 'go from row to row; with Shift select'], ['Space', 'select'], ['Ctrl A', 'select all'], ['Enter', 'open'],
    ['Backspace', 'folder above'], ['F2', 'rename'], ['Delete', 'delete'], ['Ctrl C, Ctrl X, Ctrl V', 'copy, cut, paste'], ['E', 'edit'],
    ['N', 'new folder'], ['U', 'upload'], ['D', 'download'], ['/', 'filter'], ['Escape', 'select nothing'],
  ];
  void ask('Keys', (close) => [
    h('dl', {}, ...keys.flatMap(([key, what]) => [h('dt', {}, key), h('dd', {}, what)])),
    h('footer', {}, button('Close', () => close(), { autofocus: true })),
  ]);
}

/** Keys of the table and of the page. */
function shortcut(event: KeyboardEvent): boolean {
  const control = event.ctrlKey || event.metaKey;
  const change = (what: () => unknown) => {
    if (!read_only) what();
    return true;
  };
  if (control) {
    switch (event.key.toLowerCase()) {
      case 'a': table.select_all(true); return true;
      case 'c': take('COPY'); return true;
      case 'x': return change(() => take('MOVE'));
      case 'v': return change(paste);
      default: return false;
    }
  }
  if (event.altKey) return false;
  switch (event.key) {
    case '/': filter.focus(); return true;
    case '?': help(); return true;
    case 'Backspace': if (folder !== root) void go(parent_of(folder), true, name_of(folder)); return true;
    case 'Delete': return change(remove_chosen);
    case 'F2': return change(rename);
    case 'n': return change(new_folder);
    case 'd': void download(); return true;
    case 'u': return change(() => pick_files.click());
    case 'e': {
      const [item] = table.chosen();
      if (item && editable(item)) void edit_item(item);
      return true;
    }
    default: return false;
  }
}

const pick_files = h('input', { type: 'file', multiple: true, hidden: true, id: 'pick-files' });
const pick_folder = h('input', { type: 'file', webkitdirectory: true, hidden: true, id: 'pick-folder' });
for (const input of [pick_files, pick_folder])
  input.addEventListener('change', () => {
    if (input.files?.length) uploads.add(picked_sources(input.files, folder));
    input.value = '';
  });

const needs_one: HTMLButtonElement[] = [];
const needs_some: HTMLButtonElement[] = [];
const paste_button = button('Paste', () => void paste(), { title: 'Ctrl V' });
function update_tools(): void {
  const count = table.selection_size();
  for (const tool of needs_one) tool.disabled = count !== 1;
  for (const tool of needs_some) tool.disabled = count === 0;
  paste_button.disabled = !clipboard;
  paste_button.textContent = clipboard ? `Paste ${clipboard.items.length}` : 'Paste';
}

function tools(): HTMLElement {
  const bar = h('div', { class: 'tools', role: 'toolbar', 'aria-label': 'Actions' });
  const add = (text: string, press: () => unknown, title = '', among?: HTMLButtonElement[]) => {
    const tool = button(text, () => void press(), title ? { title } : {});
    among?.push(tool);
    bar.append(tool);
  };
  if (!read_only) {
    add('Upload', () => pick_files.click(), 'Files of this computer (U)');
    add('Upload folder', () => pick_folder.click());
    add('New folder', new_folder, 'N');
    add('Rename', rename, 'F2', needs_one);
    add('Cut', () => take('MOVE'), 'Ctrl X', needs_some);
  }
  add('Copy', () => take('COPY'), 'Ctrl C', needs_some);
  add('Download', download, 'What is selected, or this folder (D)');
  if (!read_only) {
    bar.append(paste_button);
    add('Delete', remove_chosen, 'Delete', needs_some);
  }
  if (document.documentElement.dataset.status !== undefined) bar.append(h('a', { class: 'button', href: `${root}?isthmus=status` }, 'Status'));
  add('Dark or light', change_theme);
  add('Keys', help, '?');
  return bar;
}

function change_theme(): void {
  const page = document.documentElement;
  const dark = page.dataset.theme ? page.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  page.dataset.theme = dark ? 'light' : 'dark';
  try {
    localStorage.setItem('theme', page.dataset.theme);
  } catch {
    // no storage: it lasts as long as the page
  }
}

function drop_files(): void {
  const holds_files = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
  addEventListener('dragover', (event) => {
    if (!holds_files(event)) return;
    event.preventDefault();
    document.body.classList.toggle('dropping', !read_only);
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) document.body.classList.remove('dropping');
  });
  addEventListener('drop', (event) => {
    document.body.classList.remove('dropping');
    if (!holds_files(event) || !event.dataTransfer) return;
    event.preventDefault();
    if (read_only) return;
    const to = folder;
    dropped_sources(event.dataTransfer, to).then((sources) => {
      uploads.add(sources);
      if (!sources.length) void load(folder);
    }, complain);
  });
}

function start(): void {
  try {
    const theme = localStorage.getItem('theme');
    if (theme) document.documentElement.dataset.theme = theme;
  } catch {
    // as above
  }
  filter.addEventListener('input', () => table.set_filter(filter.value));
  filter.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'Escape') {
      filter.value = '';
      table.set_filter('');
    }
    if (event.key === 'Enter' || event.key === 'ArrowDown' || event.key === 'Escape') {
      event.preventDefault();
      table.focus(0);
    }
  });
  document.addEventListener('keydown', (event) => {
    const target = event.target as Element;
    if (target.closest('dialog, input, textarea')) return;
    if (shortcut(event)) event.preventDefault();
  });
  addEventListener('popstate', () => void go(canonical(location.pathname), false));
  drop_files();

  document.body.replaceChildren(
    h('header', {}, crumbs, filter),
    tools(),
    h('main', {}, table.element),
    uploads.element,
    status_line(),
    pick_files, pick_folder);
  document.body.classList.add('live');
  update_tools();
  void go(canonical(location.pathname), false);
}

// The rows that are there without a script need not be laid out, which takes seconds for some ten thousand.
document.documentElement.classList.add('scripted');
if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
else start();
