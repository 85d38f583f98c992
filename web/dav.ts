// The verbs of WebDAV (RFC 4918) as the page uses them. A path is a URL's: absolute, escaped; that of a folder ends with '/'.

import { kind_of, Kind } from './names';

export interface Item {
  name: string;
  path: string;
  folder: boolean;
  size: number;
  /** Milliseconds since 1970; NaN: unknown. */
  modified: number;
  kind: Kind;
}

export class DavError extends Error {
  constructor(readonly status: number, what: string) {
    super(what);
  }
}

/** Where the served tree begins. */
export const root = document.documentElement.dataset.root ?? '/';
export const read_only = document.documentElement.dataset.readOnly !== undefined;

/** As the server escapes: all but letters, digits and -._~ */
function escape_name(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
}
/** A path as the server writes it, so that paths can be compared. */
export function canonical(path: string): string {
  return path.split('/').map((name) => escape_name(decodeURIComponent(name))).join('/');
}
export function child(folder: string, name: string, is_folder = false): string {
  return folder + escape_name(name) + (is_folder ? '/' : '');
}
/** `below`: names with a '/' after each. */
export function below_of(folder: string, below: string): string {
  return below.split('/').filter(Boolean).reduce((at, name) => child(at, name, true), folder);
}
export function name_of(path: string): string {
  return decodeURIComponent(path.replace(/\/$/, '').split('/').pop() ?? '');
}
export function parent_of(path: string): string {
  return path === root ? root : path.replace(/[^/]*\/?$/, '');
}

const kReasons: Record<number, string> = {
  401: 'The password is wanted.',
  403: 'This is not allowed here.',
  404: 'It is not there any more.',
  409: 'The folder is not there any more.',
  412: 'Somebody has changed it meanwhile, or the name is taken.',
  413: 'It is too large.',
  423: 'It is locked by another program.',
  507: 'The disk is full.',
};
export function reason(status: number, text = ''): string {
  if (status === 0) return 'The server does not answer.';
  const plain = text.replace(/^\d+ /, '').trim();
  const why = kReasons[status] ?? `The server said ${status}.`;
  return plain && !plain.startsWith('<') && plain.length < 200 ? `${why} (${plain})` : why;
}

/** Throws DavError for every status that is not 2xx. */
export async function send(method: string, path: string, headers: Record<string, string> = {}, body?: BodyInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, body, cache: 'no-store', redirect: 'error' });
  } catch {
    throw new DavError(0, reason(0));
  }
  if (!answer.ok) throw new DavError(answer.status, reason(answer.status, await answer.text()));
  if (answer.status === 207 && method !== 'PROPFIND') {
    // Some of a tree could not be done.
    const status = /HTTP\/1\.1 (\d+)/.exec(await answer.text());
    throw new DavError(207, `Not all of it could be done: ${reason(Number(status?.[1] ?? 500))}`);
  }
  return answer;
}

const kProperties =
  '<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getcontenttype/></prop></propfind>';

/** What is in a folder. */
export async function list(folder: string): Promise<Item[]> {
  const answer = await send('PROPFIND', folder, { Depth: '1', 'Content-Type': 'application/xml' }, kProperties);
  const xml = new DOMParser().parseFromString(await answer.text(), 'application/xml');
  if (xml.querySelector('parsererror')) throw new DavError(0, 'The listing broke off.');
  const items: Item[] = [];
  for (const response of Array.from(xml.documentElement.children)) {
    let path = '';
    const properties: Record<string, Element> = {};
    for (const part of Array.from(response.children)) {
      if (part.localName === 'href') path = part.textContent ?? '';
      // Of a propstat of status 404 only the empty elements are there.
      if (part.localName === 'propstat' && /\b200\b/.test(part.lastElementChild?.textContent ?? ''))
        for (const one of Array.from(part.firstElementChild?.children ?? [])) properties[one.localName] = one;
    }
    if (path === folder || !path.startsWith(folder)) continue;
    const text = (name: string) => properties[name]?.textContent ?? '';
    const is_folder = properties.resourcetype?.firstElementChild?.localName === 'collection';
    items.push({
      name: name_of(path),
      path,
      folder: is_folder,
      size: is_folder ? 0 : Number(text('getcontentlength') || 0),
      modified: Date.parse(text('getlastmodified')),
      kind: is_folder ? 'folder' : kind_of(text('getcontenttype')),
    });
  }
  return items;
}

export async function exists(path: string): Promise<boolean> {
  try {
    await send('PROPFIND', path, { Depth: '0', 'Content-Type': 'application/xml' }, kProperties);
    return true;
  } catch (error) {
    if (error instanceof DavError && error.status === 404) return false;
    throw error;
  }
}

/** True: made; false: a folder or file of that name is there. */
export async function make_folder(path: string): Promise<boolean> {
  try {
    await send('MKCOL', path);
    return true;
  } catch (error) {
    if (error instanceof DavError && error.status === 405) return false;
    throw error;
  }
}

/** 412 (DavError): the destination exists, and may not go. */
export async function transfer(verb: 'MOVE' | 'COPY', from: string, to: string, overwrite: boolean): Promise<void> {
  await send(verb, from, { Destination: location.origin + to, Overwrite: overwrite ? 'T' : 'F' });
}

export async function remove(path: string): Promise<void> {
  await send('DELETE', path);
}
