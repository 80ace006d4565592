/**
 * Runs once before all tests: says which etcd they run on, and fails at once where a real one is required and
 * missing.
 */
import { requiresEtcd } from './describe-etcd.js';
import { findEtcdBinaries } from './etcd-process.js';

/** Vitest calls it by its name. */
export function setup(): void {
  const binaries = findEtcdBinaries();
  if (binaries.length === 0 && requiresEtcd()) {
    throw new Error(
      'REQUIRE_ETCD=1, but there is no etcd on the PATH or in .cache/etcd: install etcd-server, or run .ci/build-etcd',
    );
  }
  const list = binaries.map(({ version, origin }) => `etcd ${version} (${origin})`).join(', ');
  console.log(
    list === ''
      ? 'tests run on the embedded etcd; those that need an etcd process are skipped (no etcd on the PATH or in .cache/etcd)'
      : `tests run on ${list}`,
  );
}
