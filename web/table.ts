// The table of a folder: order, filter, selection, keys. What is done with the files is its owner's.

import { Item } from './dav';
import { button, h, say } from './dom';
import { date_text, natural, size_text } from './names';

type Column = 'name' | 'size' | 'modified';
const kColumns: [Column, string][] = [['name', 'Name'], ['size', 'Size'], ['modified', 'Changed']];
const kRowsAtOnce = 1000; // rows in the document before "Show all" is pressed

export interface Owner {
  open(item: Item): void;
  /** A key that is not the table's own; true: it was used. */
  key(event: KeyboardEvent): boolean;
  changed_selection(): void;
  /** Files of this table were dropped on a folder of it. */
  dropped_on(folder: Item): void;
}

export class FileTable {
  readonly element = h('div', { class: 'files' });
  private items: Item[] = [];
  private shown: Item[] = [];
  private readonly selected = new Set<string>();
  private sort: Column = 'name';
  private descending = false;
  private filter = '';
  private at = 0; // row that has the focus, or would get it
  private anchor = 0; // other end of a selection by Shift
  private limit = kRowsAtOnce;
  private readonly heads = new Map<Column, HTMLTableCellElement>();
  private readonly all = h('input', { type: 'checkbox', 'aria-label': 'Select all', tabindex: -1 });
  private readonly body = h('tbody');
  private readonly table = h('table', { role: 'grid', 'aria-multiselectable': 'true', 'aria-label': 'Files' });
  private readonly foot = h('p', { class: 'foot' });

  constructor(private readonly owner: Owner) {
    const head = h('tr', {}, h('th', { scope: 'col', class: 'check' }, this.all));
    for (const [column, title] of kColumns) {
      const cell = h('th', { scope: 'col', class: column }, button(title, () => this.sort_by(column)));
      this.heads.set(column, cell);
      head.append(cell);
    }
    this.table.append(h('thead', {}, head), this.body);
    this.element.append(this.table, this.foot);
    this.all.addEventListener('change', () => this.select_all(this.all.checked));
    this.body.addEventListener('click', (event) => this.click(event));
    this.body.addEventListener('keydown', (event) => this.key(event));
    this.body.addEventListener('focusin', (event) => {
      const index = this.index_of(event.target);
      if (index >= 0) this.move_tabstop(index);
    });
    this.dragging();
  }

  /** Shows a folder's items; what was selected and is still there stays so. */
  show(items: Item[], focus?: string): void {
    this.items = items;
    const paths = new Set(items.map((item) => item.path));
    for (const path of this.selected) if (!paths.has(path)) this.selected.delete(path);
    // Who is in the table stays there, also when others change the folder.
    const had_focus = this.body.contains(document.activeElement);
    const before = this.shown[this.at]?.path;
    this.arrange();
    const index = this.shown.findIndex((item) => (focus === undefined ? item.path === before : item.name === focus));
    if (index >= 0) this.move_tabstop(index);
    if ((index >= 0 && focus !== undefined) || had_focus) this.focus();
  }
  /** Forgets what belonged to another folder. */
  reset(): void {
    this.selected.clear();
    this.filter = '';
    this.at = this.anchor = 0;
    this.limit = kRowsAtOnce;
  }
  set_filter(text: string): void {
    this.filter = text.toLowerCase();
    this.at = 0;
    this.arrange();
    say(text ? `${this.shown.length} of ${this.items.length} shown` : '');
  }
  /** The selected items, or the one that has the focus. */
  chosen(): Item[] {
    const chosen = this.shown.filter((item) => this.selected.has(item.path));
    return chosen.length || !this.body.contains(document.activeElement) ? chosen : this.shown.slice(this.at, this.at + 1);
  }
  selection_size(): number {
    return this.selected.size;
  }
  has(name: string): boolean {
    return this.items.some((item) => item.name === name);
  }
  /** All files in the order that is shown, for going from one preview to the next. */
  in_order(): Item[] {
    return this.shown;
  }
  focus(index = this.at): void {
    if (!this.shown.length) return;
    index = Math.max(0, Math.min(index, this.shown.length - 1));
    if (index >= this.limit) this.show_rows(index + 1);
    this.move_tabstop(index);
    this.row(index)?.focus();
  }
  focus_item(item: Item): void {
    this.focus(this.shown.indexOf(item));
  }
  select_all(on: boolean): void {
    this.selected.clear();
    if (on) for (const item of this.shown) this.selected.add(item.path);
    this.mark();
  }

  private sort_by(column: Column): void {
    this.descending = this.sort === column && !this.descending;
    this.sort = column;
    this.at = 0;
    this.arrange();
  }
  private arrange(): void {
    const order: Record<Column, (a: Item, b: Item) => number> = {
      name: (a, b) => natural(a.name, b.name),
      size: (a, b) => a.size - b.size || natural(a.name, b.name),
      modified: (a, b) => (a.modified || 0) - (b.modified || 0) || natural(a.name, b.name),
    };
    const sign = this.descending ? -1 : 1;
    this.shown = this.items
      .filter((item) => !this.filter || item.name.toLowerCase().includes(this.filter))
      .sort((a, b) => Number(b.folder) - Number(a.folder) || sign * order[this.sort](a, b));
    // What cannot be seen is not selected, so that nothing is deleted that nobody sees.
    const visible = new Set(this.shown.map((item) => item.path));
    for (const path of this.selected) if (!visible.has(path)) this.selected.delete(path);
    for (const [column, cell] of this.heads) {
      if (column === this.sort) cell.setAttribute('aria-sort', this.descending ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    }
    this.at = Math.min(this.at, Math.max(0, this.shown.length - 1));
    this.body.replaceChildren();
    this.show_rows(this.limit);
    this.mark();
  }
  private show_rows(limit: number): void {
    this.limit = Math.max(limit, kRowsAtOnce);
    const rows = document.createDocumentFragment();
    for (let i = this.body.childElementCount; i < Math.min(this.limit, this.shown.length); ++i) rows.append(this.make_row(this.shown[i], i));
    this.body.append(rows);
    this.table.setAttribute('aria-rowcount', String(this.shown.length + 1));
    const hidden = this.shown.length - this.body.childElementCount;
    this.foot.replaceChildren();
    if (!this.shown.length) this.foot.append(this.filter ? 'No name holds this text.' : 'This folder is empty.');
    if (hidden > 0) this.foot.append(button(`Show ${hidden} more`, () => this.show_rows(this.shown.length)));
  }
  private make_row(item: Item, index: number): HTMLTableRowElement {
    const name = h('a', { href: item.path, tabindex: -1, draggable: 'false' }, item.name + (item.folder ? '/' : ''));
    return h('tr', { role: 'row', tabindex: index === this.at ? 0 : -1, 'aria-rowindex': index + 2, 'data-kind': item.kind, draggable: 'true' },
      h('td', { class: 'check', role: 'gridcell' }, h('input', { type: 'checkbox', tabindex: -1, 'aria-label': `Select ${item.name}` })),
      h('td', { class: 'name', role: 'gridcell' }, name),
      h('td', { class: 'size', role: 'gridcell' }, item.folder ? '' : size_text(item.size)),
      h('td', { class: 'modified', role: 'gridcell' }, date_text(item.modified)));
  }
  private row(index: number): HTMLTableRowElement | undefined {
    return this.body.rows[index];
  }
  private index_of(target: EventTarget | null): number {
    const row = target instanceof Element ? target.closest('tr') : null;
    return row ? row.sectionRowIndex : -1;
  }
  private move_tabstop(index: number): void {
    this.row(this.at)?.setAttribute('tabindex', '-1');
    this.at = index;
    this.row(index)?.setAttribute('tabindex', '0');
  }
  private mark(): void {
    for (let i = 0; i < this.body.rows.length; ++i) {
      const on = this.selected.has(this.shown[i].path);
      const row = this.body.rows[i];
      row.setAttribute('aria-selected', String(on));
      (row.cells[0].firstElementChild as HTMLInputElement).checked = on;
    }
    this.all.checked = this.selected.size > 0 && this.selected.size === this.shown.length;
    this.all.indeterminate = this.selected.size > 0 && !this.all.checked;
    this.owner.changed_selection();
  }
  private toggle(index: number): void {
    const path = this.shown[index].path;
    if (!this.selected.delete(path)) this.selected.add(path);
    this.anchor = index;
    this.mark();
  }
  private select_range(to: number): void {
    this.selected.clear();
    for (let i = Math.min(this.anchor, to); i <= Math.max(this.anchor, to); ++i) this.selected.add(this.shown[i].path);
    this.mark();
  }

  private click(event: MouseEvent): void {
    const index = this.index_of(event.target);
    if (index < 0) return;
    const target = event.target as Element;
    if (target.closest('input')) return this.toggle(index);
    if (target.closest('a')) {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // the browser's: a tab of its own
      event.preventDefault();
      return this.owner.open(this.shown[index]);
    }
    if (event.shiftKey) this.select_range(index);
    else if (event.ctrlKey || event.metaKey) this.toggle(index);
    else {
      this.anchor = index;
      this.select_range(index);
    }
    this.focus(index);
  }

  private key(event: KeyboardEvent): void {
    const page = 15;
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step !== undefined && !event.altKey) {
      const to = Math.max(0, Math.min(this.at + step, this.shown.length - 1));
      if (event.shiftKey) this.select_range(to);
      else if (!event.ctrlKey) this.anchor = to;
      this.focus(to);
    } else if (event.key === ' ') {
      this.toggle(this.at);
    } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
      this.owner.open(this.shown[this.at]);
    } else if (event.key === 'Escape' && this.selected.size) {
      this.select_all(false);
    } else if (!this.owner.key(event)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Rows are dragged onto folders. */
  private dragging(): void {
    const kType = 'application/x-isthmus';
    const target_of = (event: DragEvent) => {
      const index = this.index_of(event.target);
      const item = this.shown[index];
      return event.dataTransfer?.types.includes(kType) && item?.folder && !this.selected.has(item.path) ? index : -1;
    };
    this.body.addEventListener('dragstart', (event) => {
      const index = this.index_of(event.target);
      if (index < 0) return;
      if (!this.selected.has(this.shown[index].path)) {
        this.anchor = index;
        this.select_range(index);
      }
      event.dataTransfer?.setData(kType, '');
    });
    this.body.addEventListener('dragover', (event) => {
      const index = target_of(event);
      this.body.querySelector('.over')?.classList.remove('over');
      if (index < 0) return;
      event.preventDefault();
      this.row(index)?.classList.add('over');
    });
    this.body.addEventListener('dragleave', () => this.body.querySelector('.over')?.classList.remove('over'));
    this.body.addEventListener('drop', (event) => {
      const index = target_of(event);
      this.body.querySelector('.over')?.classList.remove('over');
      if (index < 0) return;
      event.preventDefault();
      event.stopPropagation();
      this.owner.dropped_on(this.shown[index]);
    });
  }
}
