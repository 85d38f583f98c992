// Markdown as elements: the everyday part of CommonMark and tables. Nothing of the text becomes markup, and links lead to http, https, mailto
// or a file beside this one.

import { h } from './dom';

function safe_link(url: string): string | undefined {
  if (/^(https?:|mailto:)/i.test(url)) return url;
  return /^[a-z][a-z0-9+.-]*:/i.test(url) || url.startsWith('//') ? undefined : url;
}

function resolve(url: string, base: string): string | undefined {
  const safe = safe_link(url);
  if (safe === undefined) return undefined;
  try {
    return new URL(safe, location.origin + base).href;
  } catch {
    return undefined;
  }
}

const kInline = /(`+)(.+?)\1|!\[([^\]]*)\]\(([^\s)]+)[^)]*\)|\[([^\]]+)\]\(([^\s)]+)[^)]*\)|\*\*(.+?)\*\*|__(.+?)__|~~(.+?)~~|\*([^*\s][^*]*)\*|\b_([^_\s][^_]*)_\b|<(https?:\/\/[^\s>]+)>|\\([\\`*_{}[\]()#+.!|~>-])/;

function inline(to: HTMLElement, text: string, base: string, depth = 0): void {
  while (text) {
    const found = depth < 8 ? kInline.exec(text) : null;
    if (!found) break;
    to.append(text.slice(0, found.index));
    text = text.slice(found.index + found[0].length);
    const nested = (tag: 'strong' | 'em' | 'del', inner: string) => {
      const element = h(tag);
      inline(element, inner, base, depth + 1);
      to.append(element);
    };
    if (found[2] !== undefined) to.append(h('code', {}, found[2]));
    else if (found[4] !== undefined) {
      // Pictures of other places would tell them who reads this.
      const source = resolve(found[4], base);
      if (source?.startsWith(location.origin + '/')) to.append(h('img', { src: source, alt: found[3], loading: 'lazy' }));
      else to.append(found[3]);
    } else if (found[6] !== undefined) {
      const target = resolve(found[6], base);
      const link = target ? h('a', { href: target, target: '_blank', rel: 'noopener noreferrer' }) : h('span');
      inline(link, found[5], base, depth + 1);
      to.append(link);
    } else if (found[7] ?? found[8]) nested('strong', found[7] ?? found[8]);
    else if (found[9]) nested('del', found[9]);
    else if (found[10] ?? found[11]) nested('em', found[10] ?? found[11]);
    else if (found[12]) to.append(h('a', { href: found[12], target: '_blank', rel: 'noopener noreferrer' }, found[12]));
    else to.append(found[13] ?? '');
  }
  to.append(text);
}

function cells(line: string): string[] {
  return line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());
}

const kItem = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;

function blocks(to: HTMLElement, lines: string[], base: string, depth: number): void {
  for (let i = 0; i < lines.length; ) {
    const line = lines[i];
    let found: RegExpExecArray | null;
    if (!line.trim()) {
      ++i;
    } else if ((found = /^\s{0,3}(```+|~~~+)/.exec(line))) {
      const fence = found[1];
      const code: string[] = [];
      for (++i; i < lines.length && !lines[i].trim().startsWith(fence); ++i) code.push(lines[i]);
      ++i;
      to.append(h('pre', {}, h('code', {}, code.join('\n'))));
    } else if ((found = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line))) {
      const heading = h(`h${found[1].length}` as 'h1');
      inline(heading, found[2], base);
      to.append(heading);
      ++i;
    } else if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) {
      to.append(h('hr'));
      ++i;
    } else if (/^\s{0,3}>/.test(line) && depth < 8) {
      const inner: string[] = [];
      for (; i < lines.length && /^\s{0,3}>/.test(lines[i]); ++i) inner.push(lines[i].replace(/^\s{0,3}> ?/, ''));
      const quote = h('blockquote');
      blocks(quote, inner, base, depth + 1);
      to.append(quote);
    } else if ((found = kItem.exec(line)) && depth < 8) {
      const indent = found[1].length;
      const list = found[2] ? h('ol', { start: found[2] }) : h('ul');
      while (i < lines.length && (found = kItem.exec(lines[i])) && found[1].length <= indent + 1) {
        const inner = [found[3]];
        for (++i; i < lines.length && (/^\s{2,}\S/.test(lines[i]) && (kItem.exec(lines[i])?.[1].length ?? indent + 2) > indent + 1); ++i)
          inner.push(lines[i].slice(Math.min(indent + 2, lines[i].search(/\S/))));
        const item = h('li');
        if (inner.length === 1) inline(item, inner[0], base);
        else blocks(item, inner, base, depth + 1);
        list.append(item);
      }
      to.append(list);
    } else if (line.includes('|') && /^\s*\|?(\s*:?-+:?\s*\|)+\s*(:?-+:?)?\s*$/.test(lines[i + 1] ?? '')) {
      const row = (tag: 'th' | 'td', text: string) =>
        h('tr', {}, ...cells(text).map((cell) => {
          const element = h(tag);
          inline(element, cell, base);
          return element;
        }));
      const table = h('table', {}, row('th', line));
      for (i += 2; i < lines.length && lines[i].includes('|'); ++i) table.append(row('td', lines[i]));
      to.append(table);
    } else {
      const text: string[] = [];
      do text.push(lines[i++].trim());
      while (i < lines.length && lines[i].trim() && !/^\s{0,3}(#{1,6}\s|>|```|~~~)/.test(lines[i]) && !kItem.test(lines[i]));
      const paragraph = h('p');
      inline(paragraph, text.join('\n'), base);
      to.append(paragraph);
    }
  }
}

/** `base`: path of the folder that links are relative to. */
export function markdown(text: string, base: string): HTMLElement {
  const article = h('article', { class: 'markdown' });
  blocks(article, text.split(/\r?\n/), base, 0);
  return article;
}
