/** The options that a published outlier detection of gRPC (gRFC A50) is translated into. */
import { expect, it } from 'vitest';
import type { OutlierOptions } from '../../../../lib/balance/modifiers/outlier-detection.js';
import { parseServiceConfig } from '../../../../lib/grpc/service-config/service-config-json.js';

function detection(fields: object): boolean | OutlierOptions | undefined {
  const childPolicy = [{ round_robin: {} }];
  const loadBalancingConfig = [{ outlier_detection_experimental: { ...fields, childPolicy } }];
  const parsed = parseServiceConfig(JSON.stringify({ loadBalancingConfig }));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.config.policy?.options.outlierDetection;
}

const ON = { successRateEjection: {} };

it('fields that are not set have the defaults of gRPC', () => {
  expect(detection(ON)).toEqual({
    intervalMs: 10_000,
    windowMs: 10_000,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    maxEjectedShare: 0.1,
    failureMargin: 0.2,
    minRequests: 100,
    consecutiveFailures: 100,
  });
});

it('published fields become options of our outlier detection', () => {
  expect(
    detection({
      interval: '2s',
      baseEjectionTime: '.5s',
      maxEjectionTime: '60s',
      maxEjectionPercent: 50,
      failurePercentageEjection: { threshold: 40, enforcementPercentage: 100, requestVolume: 10 },
    }),
  ).toEqual({
    intervalMs: 2_000,
    windowMs: 2_000,
    baseEjectionMs: 500,
    maxEjectionMs: 60_000,
    maxEjectedShare: 0.5,
    failureMargin: 0.4,
    minRequests: 10,
    consecutiveFailures: 10,
  });
});

it.each([
  ['no algorithm is asked for', {}],
  ['both algorithms are null', { successRateEjection: null, failurePercentageEjection: null }],
  ['the success rate is not enforced', { successRateEjection: { enforcementPercentage: 0 } }],
  [
    'the failure percentage is not enforced, which is its default',
    { failurePercentageEjection: {} },
  ],
  [
    'no share of failures exceeds the threshold',
    { failurePercentageEjection: { threshold: 100, enforcementPercentage: 100 } },
  ],
  ['maxEjectionPercent is 0', { ...ON, maxEjectionPercent: 0 }],
])('outlier detection is off if %s', (_, fields) => {
  expect(detection(fields)).toBe(false);
});

it('an algorithm that is not enforced leaves the other one in force', () => {
  const failurePercentageEjection = { threshold: 1, enforcementPercentage: 0, requestVolume: 1 };
  expect(detection({ ...ON, failurePercentageEjection })).toMatchObject({
    failureMargin: 0.2,
    minRequests: 100,
  });
});

it.each([
  [85, { failureMargin: 0.2, minRequests: 100 }],
  [10, { failureMargin: 0.1, minRequests: 50 }],
])(
  'of two algorithms the one with the smaller margin counts: threshold %d %%',
  (threshold, expected) => {
    const failurePercentageEjection = { threshold, enforcementPercentage: 1 };
    expect(detection({ ...ON, failurePercentageEjection })).toMatchObject(expected);
  },
);

it('fields that are null have their defaults', () => {
  const none = { interval: null, baseEjectionTime: null, maxEjectionPercent: null };
  const successRateEjection = { requestVolume: null, enforcementPercentage: null };
  expect(detection({ ...none, successRateEjection })).toEqual(detection(ON));
});

it.each([
  ['interval', '0s', { intervalMs: 10, windowMs: 10 }],
  ['interval', '315576000000s', { intervalMs: 86_400_000, windowMs: 86_400_000 }],
  ['baseEjectionTime', '0s', { baseEjectionMs: 10 }],
  ['baseEjectionTime', '90000s', { baseEjectionMs: 86_400_000, maxEjectionMs: 86_400_000 }],
  ['maxEjectionTime', '315576000000s', { maxEjectionMs: 86_400_000 }],
])('%s %s is cut to the bounds of the client option', (field, value, expected) => {
  expect(detection({ ...ON, [field]: value })).toMatchObject(expected);
});

it('maxEjectionMs is never below baseEjectionMs', () => {
  expect(detection({ ...ON, baseEjectionTime: '60s', maxEjectionTime: '1s' })).toMatchObject({
    baseEjectionMs: 60_000,
    maxEjectionMs: 60_000,
  });
});

it.each([
  [{ successRateEjection: { requestVolume: 0 } }, { minRequests: 1, consecutiveFailures: 1 }],
  [{ successRateEjection: { requestVolume: 4e9 } }, { minRequests: 1_000_000 }],
  [
    { failurePercentageEjection: { threshold: 0, enforcementPercentage: 100 } },
    { failureMargin: 0.000_001 },
  ],
])('%j is cut to the bounds of the client options', (fields, expected) => {
  expect(detection(fields)).toMatchObject(expected);
});

it.each([
  [{ interval: '-1s' }, /interval is "-1s"; allowed: a duration of 0 or more/],
  [{ interval: '-0.001s' }, /interval is "-0.001s"; allowed: a duration of 0 or more/],
  [{ interval: 1 }, /interval is 1; allowed: a duration/],
  [{ maxEjectionPercent: 101 }, /maxEjectionPercent is 101/],
  [{ successRateEjection: { enforcementPercentage: 101 } }, /enforcementPercentage is 101/],
  [{ failurePercentageEjection: { threshold: 101 } }, /threshold is 101/],
  [{ failurePercentageEjection: { minimumHosts: -1 } }, /minimumHosts is -1/],
  [{ successRateEjection: { stdevFactor: 1.5 } }, /stdevFactor is 1.5/],
  [{ successRateEjection: [] }, /successRateEjection is \[\]; allowed: an object/],
])('outlier detection is refused with %j', (fields, reason) => {
  expect(() => detection(fields)).toThrow(reason);
});
