/** An etcd for tests that need any etcd: a real one if this machine has one, else the embedded one. */
import { EmbeddedEtcd } from '../../lib/testing/embedded-etcd/embedded-etcd.js';
import { EtcdProcess, findEtcdBinaries } from './etcd-process.js';

/** A running etcd. A test that starts it must stop it. */
export interface TestEtcd {
  /** The value of the option `etcd: { hosts }`. */
  readonly hosts: string[];
  /** Which etcd this is, for messages: `etcd 3.4.23` or `embedded etcd`. */
  readonly kind: string;
  stop(): Promise<void>;
}

export interface TestEtcdOptions {
  /** The loopback port; a free port by default. */
  readonly port?: number;
}

/**
 * Starts an empty etcd on loopback. Tests that kill, freeze or restart etcd, or give it flags, need a
 * process: they use `describeEtcd`.
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
