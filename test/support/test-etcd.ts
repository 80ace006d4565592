/** An etcd for tests that need just any: a real one where there is one, the embedded one else. */
import { EmbeddedEtcd } from '../../lib/testing/embedded-etcd/embedded-etcd.js';
import { EtcdProcess, findEtcdBinaries } from './etcd-process.js';

/** A running etcd. Whoever started it stops it. */
export interface TestEtcd {
  /** What goes into `etcd: { hosts }`. */
  readonly hosts: string[];
  /** Which one it is, for messages: `etcd 3.4.23` or `embedded etcd`. */
  readonly kind: string;
  stop(): Promise<void>;
}

export interface TestEtcdOptions {
  /** The loopback port; a free one by default. */
  readonly port?: number;
}

/**
 * Starts an empty etcd on loopback. Tests that kill, freeze or restart it, or give it flags, need a process:
 * those use `describeEtcd`.
 */
export async function startTestEtcd(options: TestEtcdOptions = {}): Promise<TestEtcd> {
  const [binary] = findEtcdBinaries();
  if (binary === undefined) {
    const embedded = await EmbeddedEtcd.start(options);
    return { hosts: embedded.hosts, kind: 'embedded etcd', stop: () => embedded.stop() };
  }
  const process = await EtcdProcess.start({ ...options, binary });
  return {
    hosts: process.hosts,
    kind: `etcd ${binary.version}`,
    stop: () => process.stop(),
  };
}
