/** Names of services: the part before the slash in a record's key. */

/** The allowed names, for error texts. */
export const SERVICE_NAME_ALLOWED =
  'a non-empty string without a slash at its end and without control characters';

/** Whether a text is an allowed service name. */
export function isServiceName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- the expression looks for control characters
  return name !== '' && !/\/$|[\u0000-\u001f\u007f]/.test(name);
}
