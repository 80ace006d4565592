/** URLs of etcd's members, as options name them. */

/** The allowed forms, for error texts. */
export const MEMBER_URL_ALLOWED = 'http://host:port or https://host:port, all members alike';

/** A host: a name, an IPv4 address, or an IPv6 address in brackets. */
const HOST = String.raw`(?:\[[0-9a-fA-F:.]+\]|[\p{L}\p{N}._-]+)`;
const MEMBER_URL = new RegExp(String.raw`^https?:\/\/${HOST}:\d{1,5}\/?$`, 'u');
const BARE_NAME = new RegExp(`^${HOST}$`, 'u');
/** Splits a text without user info into four parts: scheme, host, port, and the rest after them. */
const PARTS = new RegExp(
  String.raw`^((?:https?|ftp|grpcs?|tcp|etcd|dns):\/\/)?(${HOST})(:\d{1,5}(?!\d))?(.*)$`,
  'su',
);
/** Scheme, and the host and port after user info. */
const BEHIND_USER_INFO = new RegExp(String.raw`^(https?:\/\/)?[^/?#]*@(${HOST}:\d{1,5})\/?$`, 'su');

/**
 * A member's URL in the form that is dialled: with a scheme, without a slash at its end. `undefined` if the
 * text is not such a URL.
 */
export function parseMemberUrl(text: string): string | undefined {
  const trimmed = text.trim();
  const url = trimmed.includes('://') ? trimmed : `http://${trimmed}`;
  if (!MEMBER_URL.test(url)) return undefined;
  const port = Number(/:(\d+)\/?$/.exec(url)?.[1]);
  return port >= 1 && port <= 65_535 ? url.replace(/\/$/, '') : undefined;
}

/** Whether all URLs have the same scheme: all with TLS, or all without. */
export function areAlike(urls: readonly string[]): boolean {
  const secure = urls.filter((url) => url.startsWith('https://')).length;
  return secure === 0 || secure === urls.length;
}

/**
 * Describes the given hosts for error texts. Shows a host and port only if they cannot be part of a password;
 * `…` replaces everything else.
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
 * Describes one of the hosts for error texts, in quotes.
 *
 * @param whole all hosts as one text: a comma in a password splits one URL into several entries
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
  // A name without scheme and port may be part of a password, and so may text after a host that is neither a
  // path nor a query.
  const isHost = host !== '' && (scheme !== '' || port !== '');
  if (!isHost || !/^(?:[/?#]|$)/.test(rest)) return '…';
  // The entry belongs to a query that a comma has split.
  const isCut = /[?#]/.test(whole.slice(0, Math.max(0, whole.indexOf(text))));
  if (isCut) return '…';
  return `${scheme}${host}${port}${rest === '' ? '' : `${rest.charAt(0)}…`}`;
}
