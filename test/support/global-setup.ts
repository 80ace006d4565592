/**
 * Runs once before all tests: prints which etcd they use, and fails if a real etcd is required and missing.
 */
import { requiresEtcd } from './describe-etcd.js';
import { findEtcdBinaries } from './etcd-process.js';

/** Vitest calls this function by its name. */
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
