/** Test suites that need an etcd process: they run on the etcds of this machine, or say why they do not. */
import { describe, it } from 'vitest';
import { type EtcdBinary, findEtcdBinaries } from './etcd-process.js';

/** Whether a missing etcd fails the tests, as in CI, instead of skipping some of them. */
export function requiresEtcd(): boolean {
  return process.env['REQUIRE_ETCD'] === '1';
}

/** What a suite needs, and this machine may lack. */
export interface Needs {
  /** What is missing; empty if nothing is. */
  readonly missing: readonly string[];
  /** If this environment variable is `1`, a missing thing fails the tests. */
  readonly requiredBy: string;
}

/** Runs a suite on one real etcd, the first of this machine. */
export function describeEtcd(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries().slice(0, 1), suite, ETCD);
}

/** Runs a suite once for every real etcd of this machine, for behaviour that differs between versions. */
export function describeEachEtcd(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries(), suite, ETCD);
}

const ETCD: Needs = { missing: [], requiredBy: 'REQUIRE_ETCD' };

/**
 * Runs a suite once for each of these etcds. If there is no etcd, or `missing` is not empty, the suite does
 * not run: it fails if the variable `requiredBy` is `1`, else it is skipped. The error, or the name of the
 * skipped suite, says what is missing.
 */
export function describeBinaries(
  name: string,
  binaries: readonly EtcdBinary[],
  suite: (binary: EtcdBinary) => void,
  { missing, requiredBy }: Needs,
): void {
  const lacks = [
    ...missing,
    ...(binaries.length > 0 ? [] : ['no etcd on the PATH or in .cache/etcd']),
  ].join(', ');
  if (lacks === '') {
    for (const binary of binaries) describe(`${name}, etcd ${binary.version}`, () => suite(binary));
  } else if (process.env[requiredBy] === '1') {
    it(name, () => {
      throw new Error(`${requiredBy}=1, but there is ${lacks}`);
    });
  } else {
    describe.skip(`${name} (there is ${lacks})`, () => {
      it('needs what is missing', () => {});
    });
  }
}
