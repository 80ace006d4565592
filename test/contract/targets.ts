/** The servers that must keep the contract: the embedded server and every real etcd of this machine. */
import { EmbeddedEtcd } from '../../lib/testing/index.js';
import { type EtcdBinary, EtcdProcess, findEtcdBinaries } from '../support/etcd-process.js';

/** A running server, and the faults that a test can cause. */
export interface RunningTarget {
  /** The address as `127.0.0.1:port`. */
  readonly address: string;
  /** Freezes the server as SIGSTOP does; `resume` continues it as SIGCONT does. */
  pause(): void;
  resume(): void;
  /** Ends the server as a crash would; `up` starts it again with its data, `wipe` without. */
  down(): Promise<void>;
  up(): Promise<void>;
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

/** A kind of server. */
export interface Target {
  /** The name of the kind: `embedded`, `etcd 3.4` and so on. */
  readonly name: string;
  start(): Promise<RunningTarget>;
}

const embedded: Target = {
  name: 'embedded',
  async start() {
    const etcd = await EmbeddedEtcd.start({ progressNotifyIntervalMs: 1_000 });
    const { faults } = etcd;
    return {
      address: `127.0.0.1:${etcd.port}`,
      pause: () => faults.pause(),
      resume: () => faults.resume(),
      down: () => faults.down(),
      up: () => faults.up(),
      wipe: async () => faults.wipe(),
      stop: () => etcd.stop(),
    };
  },
};

function real(binary: EtcdBinary): Target {
  const version = binary.version.split('.').slice(0, 2).join('.');
  return {
    name: `etcd ${version}`,
    async start() {
      const flags = ['--experimental-watch-progress-notify-interval', '1s'];
      const etcd = await EtcdProcess.start({ binary, flags });
      return {
        address: `127.0.0.1:${etcd.port}`,
        pause: () => etcd.pause(),
        resume: () => etcd.resume(),
        down: () => etcd.kill(),
        up: () => etcd.launch(),
        async wipe() {
          await etcd.kill();
          etcd.wipe();
          await etcd.launch();
        },
        stop: () => etcd.stop(),
      };
    },
  };
}

/**
 * The embedded server, then every real etcd. With REQUIRE_ETCD=1 in the environment it is an error if this
 * machine has no real etcd.
 */
export function contractTargets(): Target[] {
  const binaries = findEtcdBinaries();
  if (binaries.length === 0 && process.env['REQUIRE_ETCD'] === '1') {
    throw new Error('REQUIRE_ETCD=1, but there is no etcd on the PATH or in .cache/etcd');
  }
  return [embedded, ...binaries.map(real)];
}
