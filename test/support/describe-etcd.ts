/** Where suites run that need an etcd as a process: on the real ones of this machine, else they say why not. */
import { describe, it } from 'vitest';
import { type EtcdBinary, findEtcdBinaries } from './etcd-process.js';

/** Whether a missing etcd fails the tests, as in CI, instead of leaving some of them out. */
export function requiresEtcd(): boolean {
  return process.env['REQUIRE_ETCD'] === '1';
}

/** A suite on one real etcd, the first of this machine. */
export function describeEtcd(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries().slice(0, 1), suite);
}

/** A suite once for every real etcd of this machine, for what differs between versions. */
export function describeEachEtcd(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries(), suite);
}

function describeBinaries(
  name: string,
  binaries: readonly EtcdBinary[],
  suite: (binary: EtcdBinary) => void,
): void {
  for (const binary of binaries) describe(`${name}, etcd ${binary.version}`, () => suite(binary));
  if (binaries.length > 0) return;
  const reason = 'no etcd on the PATH or in .cache/etcd';
  if (requiresEtcd()) {
    it(name, () => {
      throw new Error(`REQUIRE_ETCD=1, but there is ${reason}`);
    });
  } else {
    describe.skip(`${name} (there is ${reason})`, () => {
      it('needs an etcd process', () => {});
    });
  }
}
