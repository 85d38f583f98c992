// Questions. Each is a modal <dialog>, which keeps the focus and gives it back.

import { button, h } from './dom';

let count = 0;

/** Shows it until it is closed; `fill` gets a way to close it with an answer. Escape answers undefined. */
export function ask<T>(title: string, fill: (close: (answer?: T) => void) => Node[], kind = ''): Promise<T | undefined> {
  return new Promise((resolve) => {
    let answer: T | undefined;
    const id = `dialog${++count}`;
    const dialog = h('dialog', { 'aria-labelledby': id, class: kind });
    const close = (value?: T) => {
      answer = value;
      dialog.close();
    };
    dialog.append(h('h2', { id }, title), ...fill(close));
    dialog.addEventListener('keydown', (event) => event.stopPropagation());
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export async function confirm_that(title: string, text: string, yes: string): Promise<boolean> {
  const answer = await ask<boolean>(title, (close) => [
    h('p', {}, text),
    h('footer', {}, button('Cancel', () => close(false)), button(yes, () => close(true), { class: 'danger', autofocus: true })),
  ]);
  return answer === true;
}

/** A line of text; `problem` tells what is wrong with it. */
export function ask_text(title: string, label: string, value: string, yes: string, problem: (text: string) => string): Promise<string | undefined> {
  return ask<string>(title, (close) => {
    const input = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', autofocus: true, 'aria-describedby': 'problem' });
    const wrong = h('p', { id: 'problem', class: 'problem', role: 'alert' });
    input.value = value;
    const dot = value.lastIndexOf('.');
    queueMicrotask(() => setTimeout(() => input.setSelectionRange(0, dot > 0 ? dot : value.length)));
    const form = h('form', {
      method: 'dialog',
      submit: (event: Event) => {
        event.preventDefault();
        wrong.textContent = problem(input.value);
        if (wrong.textContent) input.focus();
        else close(input.value);
      },
    });
    form.append(h('label', {}, label, input), wrong, h('footer', {}, button('Cancel', () => close()), h('button', { type: 'submit' }, yes)));
    return [form];
  });
}

export type Conflict = 'replace' | 'both' | 'skip' | 'stop';
/** What to do about a name that is taken. One object serves one action of several files, so that an answer can be meant for all. */
export class Conflicts {
  private all: Conflict | undefined;
  private asking: Promise<unknown> = Promise.resolve();

  ask(name: string, folder: boolean): Promise<Conflict> {
    const next = this.asking.then(() => this.all ?? this.question(name, folder));
    this.asking = next;
    return next;
  }
  private async question(name: string, folder: boolean): Promise<Conflict> {
    const for_all = h('input', { type: 'checkbox' });
    const answer = await ask<Conflict>('The name is taken', (close) => [
      h('p', {}, `“${name}” is there already.`),
      folder && h('p', {}, 'Replacing a folder removes all that is in it.'),
      h('label', { class: 'check' }, for_all, 'The same for all that follow'),
      h('footer', {},
        button('Cancel', () => close('stop')),
        button('Skip', () => close('skip'), { autofocus: true }),
        button('Keep both', () => close('both')),
        button('Replace', () => close('replace'), { class: 'danger' })),
    ].filter((node): node is HTMLElement => Boolean(node)));
    const chosen = answer ?? 'stop';
    if (for_all.checked || chosen === 'stop') this.all = chosen;
    return chosen;
  }
}
