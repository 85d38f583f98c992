// Elements without HTML text: names of files are hostile, so nothing here parses markup.

type Child = Node | string | null | undefined | false;
type Handler = (event: any) => void;
type Props = Record<string, string | number | boolean | Handler | undefined>;

/** An element. Functions become listeners of the event they are named after, `true` an empty attribute; false and undefined: none. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

export function button(text: string, press: () => void, props: Props = {}): HTMLButtonElement {
  return h('button', { type: 'button', click: press, ...props }, text);
}

/** What screen readers say, and the line at the foot shows. */
let line: HTMLElement | undefined;
export function status_line(): HTMLElement {
  return (line ??= h('p', { role: 'status', id: 'status' }));
}
export function say(text: string, problem = false): void {
  const at = status_line();
  at.textContent = text;
  at.classList.toggle('problem', problem);
}
export function complain(error: unknown): void {
  say(error instanceof Error ? error.message : String(error), true);
}
