/** Where the interoperability suites run: with Go, against the etcds of this machine; else they say why not. */
import { describe, it } from 'vitest';
import { findEtcdBinaries, type EtcdBinary } from '../support/etcd-process.js';
import { goAvailable } from './go-program.js';

/** A suite on one etcd, the first of this machine: for what passes between servers and clients. */
export function describeInterop(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries().slice(0, 1), suite);
}

/** A suite once for every etcd of this machine: for what is in etcd. */
export function describeInteropOnEach(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries(), suite);
}

/**
 * Without Go or without an etcd the suite is skipped and says why; with `REQUIRE_GO=1` in the environment, as
 * in CI, it fails instead.
 */
function describeBinaries(
  name: string,
  binaries: readonly EtcdBinary[],
  suite: (binary: EtcdBinary) => void,
): void {
  const missing = [
    ...(goAvailable() ? [] : ['no Go on the PATH']),
    ...(binaries.length > 0 ? [] : ['no etcd on the PATH or in .cache/etcd']),
  ].join(', ');
  if (missing === '') {
    for (const binary of binaries) {
      describe(`${name}, etcd ${binary.version}`, () => suite(binary));
    }
  } else if (process.env['REQUIRE_GO'] === '1') {
    it(name, () => {
      throw new Error(`REQUIRE_GO=1, but there is ${missing}`);
    });
  } else {
    console.warn(`${name}: skipped, there is ${missing}`);
    describe.skip(`${name} (there is ${missing})`, () => {
      it('agrees with Go', () => {});
    });
  }
}
