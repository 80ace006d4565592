/** The servers that the contract is held against: the embedded one and every real etcd of this machine. */
import { EmbeddedEtcd } from '../../lib/testing/index.js';
import { type EtcdBinary, EtcdProcess, findEtcdBinaries } from '../support/etcd-process.js';

/** A running server and what can be done to it. */
export interface RunningTarget {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** As SIGSTOP and SIGCONT do. */
  pause(): void;
  resume(): void;
  /** As a crash and a restart with the data, or without it. */
  down(): Promise<void>;
  up(): Promise<void>;
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

/** A kind of server. */
export interface Target {
  /** `embedded`, `etcd 3.4` and so on. */
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
 * The embedded server, then every real etcd. With REQUIRE_ETCD=1 in the environment a machine without one is
 * a failure.
 */
export function contractTargets(): Target[] {
  const binaries = findEtcdBinaries();
  if (binaries.length === 0 && process.env['REQUIRE_ETCD'] === '1') {
    throw new Error('REQUIRE_ETCD=1, but there is no etcd on the PATH or in .cache/etcd');
  }
  return [embedded, ...binaries.map(real)];
}
