// The status page: which doors are open, who is connected, how busy they are. Asks the server again every two seconds.

import { h } from './dom';
import { size_text } from './names';

interface Client { agent: string; uid?: number; since: number; requests: number }
interface Door {
  door: string; at: string; locks: number; bytes_in: number; bytes_out: number; seconds: number;
  requests: Record<string, { count: number; failed: number }>;
  bounds: number[]; histogram: number[];
  clients: Client[]; errors: { at: number; what: string }[];
}
interface Status {
  version: string; source: string; mountpoint: string; door: string; transport: string; protocol: string;
  pid: number; started: number; operations: number; errors: number;
  by_operation: Record<string, number>; doors: Door[];
}

const kInterval = 2000; // milliseconds
const kKept = 90; // points of the curve
const root = document.documentElement.dataset.root ?? '/';

/** Operations and requests a second, the newest last. */
const rates: { operations: number; requests: number }[] = [];
let before: { at: number; operations: number; requests: number } | undefined;

const say = h('p', { role: 'status', id: 'status' });
const facts = h('section', { 'aria-label': 'Server' });
const commands = h('section', { 'aria-label': 'Commands that mount it' });
const rate = h('section', { 'aria-label': 'Load' });
const doors = h('section', { 'aria-label': 'Doors' });
const operations = h('section', { 'aria-label': 'Operations' });

function svg(tag: string, props: Record<string, string | number>, ...children: Node[]): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
function words(tag: string, props: Record<string, string | number>, text: string): SVGElement {
  return svg(tag, props, document.createTextNode(text));
}

function count(n: number): string {
  return n.toLocaleString('en');
}
function seconds(s: number): string {
  return s < 0.001 ? `${Math.round(s * 1e6)} µs` : s < 1 ? `${Number((s * 1000).toPrecision(3))} ms` : `${Number(s.toPrecision(3))} s`;
}
function age(since: number): string {
  const s = Math.max(0, Math.round(Date.now() / 1000 - since));
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}
function when(at: number): string {
  return new Date(at * 1000).toLocaleString();
}

/** A table, or a line that says there is nothing. */
function table(caption: string, heads: string[], rows: (string | number)[][], nothing: string): HTMLElement {
  if (!rows.length) return h('p', { class: 'soft' }, nothing);
  return h('table', {}, h('caption', {}, caption),
    h('thead', {}, h('tr', {}, ...heads.map((head, i) => h('th', { scope: 'col', class: typeof rows[0][i] === 'number' ? 'number' : undefined }, head)))),
    h('tbody', {}, ...rows.map((row) => h('tr', {}, ...row.map((cell) =>
      h('td', { class: typeof cell === 'number' ? 'number' : undefined }, typeof cell === 'number' ? count(cell) : cell))))));
}

/** How many requests took how long. */
function histogram(door: Door): Element {
  const width = 640, height = 170, floor = 130, top = Math.max(1, ...door.histogram), step = width / door.histogram.length;
  const parts: Node[] = [];
  door.histogram.forEach((n, i) => {
    const tall = n ? Math.max(2, (n / top) * (floor - 20)) : 0;
    const label = i < door.bounds.length ? `≤ ${seconds(door.bounds[i])}` : `> ${seconds(door.bounds[i - 1])}`;
    parts.push(svg('rect', { x: i * step + 3, y: floor - tall, width: step - 6, height: tall, class: 'bar' },
      words('title', {}, `${count(n)} requests: ${label}`)));
    if (n) parts.push(words('text', { x: (i + 0.5) * step, y: floor - tall - 4, class: 'value' }, n < 10000 ? String(n) : `${Math.round(n / 1000)}k`));
    parts.push(words('text', { x: (i + 0.5) * step, y: floor + (i % 2 ? 32 : 16), class: 'label' }, label));
  });
  const all = door.histogram.reduce((a, b) => a + b, 0);
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img',
    'aria-label': `${count(all)} requests, ${seconds(all ? door.seconds / all : 0)} each on average` }, ...parts);
}

function curve(): Element {
  const width = 640, height = 90, top = Math.max(1, ...rates.map((r) => Math.max(r.operations, r.requests)));
  const line = (of: (r: (typeof rates)[0]) => number, kind: string): Node =>
    svg('polyline', { class: kind, points: rates.map((r, i) => `${(width * (kKept - rates.length + i)) / (kKept - 1)},${height - 3 - (of(r) / top) * (height - 8)}`).join(' ') });
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'operations and requests a second' },
    line((r) => r.operations, 'operations'), line((r) => r.requests, 'requests'));
}

function requests_of(status: Status): number {
  return status.doors.reduce((sum, door) => sum + Object.values(door.requests).reduce((a, kind) => a + kind.count, 0), 0);
}

function show(status: Status): void {
  const now = { at: performance.now(), operations: status.operations, requests: requests_of(status) };
  if (before && now.at > before.at) {
    const per = 1000 / (now.at - before.at);
    // Our own question is not what anybody wants to know.
    rates.push({ operations: (now.operations - before.operations) * per, requests: Math.max(0, now.requests - before.requests - 1) * per });
    if (rates.length > kKept) rates.shift();
  }
  before = now;

  const last = rates[rates.length - 1];
  facts.replaceChildren(h('h1', {}, status.source), h('p', {},
    `isthmus ${status.version}, process ${status.pid}, serving for ${age(status.started)} through ${status.door}` +
    (status.mountpoint ? ` at ${status.mountpoint}` : '')));
  rate.replaceChildren(h('h2', {}, 'Load'),
    h('p', {}, last ? `${last.operations.toFixed(1)} operations of the file system and ${last.requests.toFixed(1)} requests a second` : 'measuring…'), curve());
  doors.replaceChildren(...status.doors.flatMap((door) => [
    h('h2', {}, `${door.door} at ${door.at}`),
    h('p', {}, `${size_text(door.bytes_in)} received, ${size_text(door.bytes_out)} sent, ${count(door.locks)} locks held`),
    histogram(door) as unknown as HTMLElement,
    table('Requests', ['Request', 'Answered', 'Failed'], Object.entries(door.requests).map(([name, n]) => [name, n.count, n.failed]), 'No request yet.'),
    table('Connected', ['User', 'Program', 'For', 'Requests'],
      door.clients.map((c) => [c.uid === undefined ? 'of another machine' : `uid ${c.uid}`, c.agent, age(c.since), c.requests]), 'Nobody is connected.'),
    table('Last errors', ['When', 'What'], door.errors.map((e) => [when(e.at), e.what]), 'No error.'),
  ]));
  operations.replaceChildren(h('h2', {}, 'File system'), table('Operations', ['Operation', 'Asked'],
    Object.entries(status.by_operation).sort((a, b) => b[1] - a[1]), 'No operation yet.'));
}

async function show_commands(): Promise<void> {
  const text = (await (await fetch(`${root}?isthmus=commands`)).text()).trimEnd();
  const block = h('pre', { tabindex: 0 }, text);
  commands.replaceChildren(h('h2', {}, 'Mount it'), block);
}

async function refresh(): Promise<void> {
  try {
    const answer = await fetch(`${root}?isthmus=status.json`, { cache: 'no-store' });
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    show(await answer.json());
    say.textContent = '';
  } catch (error) {
    say.textContent = `No news of the server: ${error instanceof Error ? error.message : error}`;
  }
  say.classList.toggle('problem', say.textContent !== '');
  setTimeout(refresh, document.hidden ? kInterval * 5 : kInterval);
}

document.body.replaceChildren(
  h('header', {}, h('nav', { 'aria-label': 'Path' }, h('a', { href: root }, 'Files')), h('a', { href: `${root}?isthmus=metrics` }, 'Figures for Prometheus')),
  h('main', { class: 'figures' }, facts, commands, rate, doors, operations), say);
void show_commands();
void refresh();
