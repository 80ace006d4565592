/**
 * Where the interoperability suites run: with Go, against the etcds of this machine; else they say why not.
 */
import { describeBinaries, type Needs } from '../support/describe-etcd.js';
import { findEtcdBinaries, type EtcdBinary } from '../support/etcd-process.js';
import { goAvailable } from './go-program.js';

/** A suite on one etcd, the first of this machine: for what passes between servers and clients. */
export function describeInterop(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries().slice(0, 1), suite, needs());
}

/** A suite once for every etcd of this machine: for what is in etcd. */
export function describeInteropOnEach(name: string, suite: (binary: EtcdBinary) => void): void {
  describeBinaries(name, findEtcdBinaries(), suite, needs());
}

function needs(): Needs {
  return { missing: goAvailable() ? [] : ['no Go on the PATH'], requiredBy: 'REQUIRE_GO' };
}
