/** Checks the `retry` option of a client. */
import { status } from '@grpc/grpc-js';
import {
  optionalInteger,
  optionalNumber,
  rejectOption,
  requireArray,
  requireName,
  requireObject,
  requireString,
} from './option-reader.js';

const FIELDS = [
  'methods',
  'maxAttempts',
  'initialBackoffMs',
  'maxBackoffMs',
  'backoffMultiplier',
  'statusCodes',
  'hedgingDelayMs',
  'throttling',
] as const;

/** @throws DiscoveryError `INVALID_OPTION` */
export function validateRetry(option: string, value: unknown): void {
  if (value === false) return;
  const given = requireObject<(typeof FIELDS)[number]>(option, value, FIELDS);
  const { methods, statusCodes, throttling } = given;
  if (methods !== undefined && methods !== 'idempotent' && methods !== 'all') {
    const allowed = 'idempotent, all, or an array of method names';
    if (!Array.isArray(methods)) rejectOption(`${option}.methods`, methods, allowed);
    for (const name of requireArray(`${option}.methods`, methods, 'method names')) {
      requireString(`${option}.methods`, name, allowed);
    }
  }
  optionalInteger(`${option}.maxAttempts`, given.maxAttempts, 2, 5);
  optionalNumber(`${option}.initialBackoffMs`, given.initialBackoffMs, 1, 60_000);
  optionalNumber(`${option}.maxBackoffMs`, given.maxBackoffMs, 1, 60_000);
  optionalNumber(`${option}.backoffMultiplier`, given.backoffMultiplier, 1, 10);
  optionalNumber(`${option}.hedgingDelayMs`, given.hedgingDelayMs, 1, 60_000);
  if (statusCodes !== undefined) checkStatusCodes(`${option}.statusCodes`, statusCodes);
  if (throttling === undefined || throttling === false) return;
  const name = `${option}.throttling`;
  const fields = requireObject(name, throttling, ['maxTokens', 'tokenRatio']);
  if (fields.maxTokens === undefined)
    rejectOption(`${name}.maxTokens`, undefined, 'a number from 1 to 1000');
  if (fields.tokenRatio === undefined)
    rejectOption(`${name}.tokenRatio`, undefined, 'a number from 0.001 to 1000');
  optionalNumber(`${name}.maxTokens`, fields.maxTokens, 1, 1_000);
  optionalNumber(`${name}.tokenRatio`, fields.tokenRatio, 0.001, 1_000);
}

function checkStatusCodes(option: string, value: unknown): void {
  const names = Object.keys(status).filter((name) => Number.isNaN(Number(name)) && name !== 'OK');
  const list = requireArray(option, value, 'status codes');
  if (list.length === 0) rejectOption(option, list, `at least one of ${names.join(', ')}`);
  for (const name of list) requireName(option, name, names);
}
