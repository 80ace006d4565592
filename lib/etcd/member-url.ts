/** URLs of etcd's members, as options name them. */

/** What is allowed, for messages. */
export const MEMBER_URL_ALLOWED = 'http://host:port or https://host:port, all members alike';

/** A member's URL in the form that is dialled: with a scheme, without a slash at its end. `undefined` for anything else. */
export function parseMemberUrl(text: string): string | undefined {
  const trimmed = text.trim();
  const url = trimmed.includes('://') ? trimmed : `http://${trimmed}`;
  if (!/^https?:\/\/(\[[0-9a-fA-F:.]+\]|[^/:@?#\s]+):\d{1,5}\/?$/.test(url)) return undefined;
  const port = Number(/:(\d+)\/?$/.exec(url)?.[1]);
  return port >= 1 && port <= 65_535 ? url.replace(/\/$/, '') : undefined;
}

/** Whether all members are spoken to in the same way, with TLS or without. */
export function areAlike(urls: readonly string[]): boolean {
  const secure = urls.filter((url) => url.startsWith('https://')).length;
  return secure === 0 || secure === urls.length;
}
