/** Names of services: what stands before the slash in a record's key. */

/** What is allowed, for messages. */
export const SERVICE_NAME_ALLOWED =
  'a non-empty string without a slash at its end and without control characters';

/** Whether a text can be a service's name. */
export function isServiceName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return name !== '' && !/\/$|[\u0000-\u001f\u007f]/.test(name);
}
