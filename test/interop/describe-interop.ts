/** Where the interoperability suites run: with Go, against every etcd of this machine; else they say why not. */
import { describe, it } from 'vitest';
import { findEtcdBinaries, type EtcdBinary } from '../support/etcd-process.js';
import { goAvailable } from './go-program.js';

/**
 * A suite once per etcd server of this machine (3.4 of the distribution and 3.6 of `.ci/build-etcd`).
 *
 * Without Go or without an etcd the suite is skipped and says why; with `REQUIRE_GO=1` in the environment, as
 * in CI, it fails instead.
 */
export function describeInterop(name: string, suite: (binary: EtcdBinary) => void): void {
  const binaries = findEtcdBinaries();
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
