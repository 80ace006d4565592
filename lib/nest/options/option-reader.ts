/**
 * Reads the options of the module. An error names the option, its value and the allowed values, and shows no
 * secret.
 */
import { DiscoveryError } from '../../core/discovery-error.js';
import { ValueReader } from '../../core/values/value-reader.js';
import { describeUnknown, describeValue } from './option-value.js';

/** The reader of the module's options. It throws {@link DiscoveryError} `INVALID_OPTION`. */
export const optionReader: ValueReader = new ValueReader({
  toError: (text) => new DiscoveryError('INVALID_OPTION', `option ${text}`),
  show: describeValue,
  showMisplaced: describeUnknown,
});
