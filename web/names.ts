// Names, sizes and times as people read them.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
/** "file2" before "file10"; names that differ only in case or accents still have an order. */
export function natural(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

export function size_text(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.length; ++unit) bytes /= 1024;
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
export function date_text(time: number): string {
  return Number.isNaN(time) ? '' : dates.format(time);
}

/** Why a name cannot be given; empty: it can. */
export function name_problem(name: string): string {
  if (name === '') return 'A name is wanted.';
  if (name === '.' || name === '..') return 'This name means a folder.';
  // eslint-disable-next-line no-control-regex
  if (/[/\\\u0000-\u001f\u007f]/.test(name)) return 'A name has no slashes and no control characters.';
  if (new TextEncoder().encode(name).length > 255) return 'The name is too long.';
  return '';
}

/** "a.txt" -> "a (2).txt", "a (3).txt" ... until it is free. */
export function free_name(name: string, taken: (name: string) => boolean): string {
  const dot = name.lastIndexOf('.');
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const ending = dot > 0 ? name.slice(dot) : '';
  for (let n = 2; ; ++n) {
    const other = `${stem} (${n})${ending}`;
    if (!taken(other)) return other;
  }
}

export type Kind = 'folder' | 'image' | 'audio' | 'video' | 'pdf' | 'markdown' | 'text' | 'other';
/** By the media type that the server tells. */
export function kind_of(type: string): Kind {
  const bare = type.split(';')[0].trim().toLowerCase();
  const family = bare.split('/')[0];
  if (family === 'image' || family === 'audio' || family === 'video') return family;
  if (bare === 'application/pdf') return 'pdf';
  if (bare === 'text/markdown') return 'markdown';
  if (family === 'text' || bare === 'application/json' || bare === 'application/xml' || bare === 'application/yaml') return 'text';
  return 'other';
}
