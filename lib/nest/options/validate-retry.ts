/** Checks the `retry` option of a client. */
import { status } from '@grpc/grpc-js';
import {
  arrayOf,
  FIELDS,
  inWords,
  nameAmong,
  numberWithin,
  ruleOf,
  TEXT,
  wholeNumber,
} from '../../core/values/value-rule.js';
import { optionReader } from './option-reader.js';

const STATUS_CODES = Object.keys(status).filter(
  (name) => Number.isNaN(Number(name)) && name !== 'OK',
);

const METHODS = 'idempotent, all, or an array of method names';

const RETRY_RULES = {
  methods: ruleOf(
    METHODS,
    (value): value is string | readonly unknown[] =>
      value === 'idempotent' || value === 'all' || Array.isArray(value),
  ),
  maxAttempts: wholeNumber(2, 5),
  initialBackoffMs: numberWithin(1, 60_000),
  maxBackoffMs: numberWithin(1, 60_000),
  backoffMultiplier: numberWithin(1, 10),
  statusCodes: arrayOf('status codes'),
  hedgingDelayMs: numberWithin(1, 60_000),
  throttling: ruleOf(
    'false, or an object with maxTokens, tokenRatio',
    (value): value is false | object => value === false || FIELDS.read(value) !== undefined,
    'container',
  ),
};

const THROTTLING_RULES = {
  maxTokens: numberWithin(1, 1_000),
  tokenRatio: numberWithin(0.001, 1_000),
};

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateRetry(option: string, value: unknown): void {
  if (value === false) return;
  const { methods, statusCodes, throttling } = optionReader.record(option, value, RETRY_RULES);
  if (typeof methods === 'object') {
    const name = `${option}.methods`;
    for (const method of methods) optionReader.required(name, method, inWords(METHODS, TEXT));
  }
  if (statusCodes !== undefined) checkStatusCodes(`${option}.statusCodes`, statusCodes);
  if (typeof throttling === 'object') checkThrottling(`${option}.throttling`, throttling);
}

function checkStatusCodes(option: string, codes: readonly unknown[]): void {
  if (codes.length === 0) {
    optionReader.reject(option, codes, `at least one of ${STATUS_CODES.join(', ')}`);
  }
  for (const code of codes) optionReader.required(option, code, nameAmong(STATUS_CODES));
}

/** Checks `throttling`, which must have both of its fields. */
function checkThrottling(option: string, value: object): void {
  const { maxTokens, tokenRatio } = optionReader.record(option, value, THROTTLING_RULES);
  optionReader.required(`${option}.maxTokens`, maxTokens, THROTTLING_RULES.maxTokens);
  optionReader.required(`${option}.tokenRatio`, tokenRatio, THROTTLING_RULES.tokenRatio);
}
