/** URLs of etcd's members, as options name them. */

/** What is allowed, for messages. */
export const MEMBER_URL_ALLOWED = 'http://host:port or https://host:port, all members alike';

/** A name, or an address in brackets. */
const HOST = String.raw`(?:\[[0-9a-fA-F:.]+\]|[\p{L}\p{N}._-]+)`;
const MEMBER_URL = new RegExp(String.raw`^https?:\/\/${HOST}:\d{1,5}\/?$`, 'u');
const BARE_NAME = new RegExp(`^${HOST}$`, 'u');
/** Scheme, host and port of a text without user info, and what follows. */
const PARTS = new RegExp(
  String.raw`^((?:https?|ftp|grpcs?|tcp|etcd|dns):\/\/)?(${HOST})(:\d{1,5}(?!\d))?(.*)$`,
  'su',
);
/** Scheme, and host and port behind user info. */
const BEHIND_USER_INFO = new RegExp(String.raw`^(https?:\/\/)?[^/?#]*@(${HOST}:\d{1,5})\/?$`, 'su');

/** A member's URL in the form that is dialled: with a scheme, without a slash at its end. `undefined` for anything else. */
export function parseMemberUrl(text: string): string | undefined {
  const trimmed = text.trim();
  const url = trimmed.includes('://') ? trimmed : `http://${trimmed}`;
  if (!MEMBER_URL.test(url)) return undefined;
  const port = Number(/:(\d+)\/?$/.exec(url)?.[1]);
  return port >= 1 && port <= 65_535 ? url.replace(/\/$/, '') : undefined;
}

/** Whether all members are spoken to in the same way, with TLS or without. */
export function areAlike(urls: readonly string[]): boolean {
  const secure = urls.filter((url) => url.startsWith('https://')).length;
  return secure === 0 || secure === urls.length;
}

/**
 * What was given as hosts, for messages: host and port, where it is certain that they are that and no part of a password; `…` stands
 * for everything else.
 */
export function describeMemberUrls(given: unknown): string {
  if (typeof given === 'string') return describeMemberUrl(given, given);
  if (!Array.isArray(given)) {
    if (given === null || given === undefined) return String(given);
    const isEmpty = typeof given === 'object' && Object.keys(given).length === 0;
    return isEmpty ? '{}' : `a value of type ${typeof given}`;
  }
  const whole = given.filter((entry) => typeof entry === 'string').join();
  const shown = given.slice(0, MAX_SHOWN).map((entry) => describeMemberUrl(entry, whole));
  return `[${shown.join()}${given.length > MAX_SHOWN ? ',…' : ''}]`;
}

const MAX_SHOWN = 5;
const MAX_CHARACTERS = 100;

/**
 * One of the hosts, for messages, in quotes.
 *
 * @param whole all of them in one text: a comma in a password has cut it into hosts that are none
 */
export function describeMemberUrl(given: unknown, whole: string): string {
  if (typeof given !== 'string') return given === null ? 'null' : `a value of type ${typeof given}`;
  const text = given.trim();
  if (text === '') return '""';
  if (BARE_NAME.test(text)) return '"…" (a name without a port)';
  const shown = whole.includes('@') ? behindUserInfo(text) : plain(text, whole);
  return shown.length > MAX_CHARACTERS ? '"…"' : `"${shown}"`;
}

function behindUserInfo(text: string): string {
  const [, scheme = '', host] = BEHIND_USER_INFO.exec(text) ?? [];
  return host === undefined ? '…' : `${scheme}…@${host}`;
}

function plain(text: string, whole: string): string {
  const [, scheme = '', host = '', port = '', rest = ''] = PARTS.exec(text) ?? [];
  // A name alone may be anything, and so may what follows a host in any other way than a path or a query.
  const isHost = host !== '' && (scheme !== '' || port !== '');
  if (!isHost || !/^(?:[/?#]|$)/.test(rest)) return '…';
  // Behind a query that a comma has cut.
  const isCut = /[?#]/.test(whole.slice(0, Math.max(0, whole.indexOf(text))));
  if (isCut) return '…';
  return `${scheme}${host}${port}${rest === '' ? '' : `${rest.charAt(0)}…`}`;
}
