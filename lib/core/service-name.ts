/** Names of services: the part before the slash in a record's key. */
import { ruleOf } from './values/value-rule.js';

/** A name that a service can have. */
export const SERVICE_NAME = ruleOf(
  'a non-empty string without a slash at its end and without control characters',
  (value): value is string =>
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    typeof value === 'string' && value !== '' && !/\/$|[\u0000-\u001f\u007f]/.test(value),
);
