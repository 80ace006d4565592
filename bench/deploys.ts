/**
 * Failed calls in deploys and failures, ours against grpc-go with etcd's naming; `full`: full counts.
 *
 * Servers and clients are processes, with 32 calls at a time at full speed. Our clients retry by default what
 * the proto declares idempotent; the Go client gets the same policy by hand where a row says so. Go has no
 * hybrid applications and no `app.close()`. The last rows vary `drainDelayMs` while four servers stop
 * together.
 */
import type { ClientOptions, Side, Tally } from '../test/interop/fleet.js';
import { goAvailable, goVersion } from '../test/interop/go-program.js';
import { stopEventProcesses } from '../test/support/event-process.js';
import { EtcdProcess, findEtcdBinaries } from '../test/support/etcd-process.js';
import type { BenchResult, BenchRow } from './support/bench-result.js';
import {
  ageStorm,
  downAndBack,
  FORMS,
  freezeOne,
  killOne,
  type Place,
  rollingRestart,
  scale,
} from './support/deploy-scenarios.js';

const FAST = { holdMs: 5 } as const;
const SLOW = { holdMs: 500 } as const;
const STREAM = { method: 'watch', holdMs: 3_000 } as const;
const FIND = { method: 'find', holdMs: 5, goFlags: { retry: true } } as const;
const FROZEN = { holdMs: 5, timeoutMs: 1_000 } as const;
const KEEPALIVE_MS = 500;
const KEEPALIVE: ClientOptions = {
  ...FROZEN,
  policy: 'least_request',
  clientOptions: {
    keepalive: { keepaliveTimeMs: KEEPALIVE_MS, keepaliveTimeoutMs: KEEPALIVE_MS },
  },
  goFlags: { policy: 'least_request_experimental', 'keepalive-ms': 10_000 },
};
const HEDGED: ClientOptions = {
  ...FROZEN,
  method: 'find',
  clientOptions: { retry: { hedgingDelayMs: 200 } },
  goFlags: { retry: true },
};
const HYBRID = { settings: { HYBRID: '1' } };

/** A scenario, and the names of what it measures: several if several clients call at once. */
interface Scenario {
  readonly names: readonly string[];
  readonly unit?: string;
  /** Whether the scenario exists in Go. */
  readonly inGo: boolean;
  play(place: Place): Promise<readonly number[]>;
}

const failed = (tallies: readonly Tally[]): number[] => tallies.map((tally) => tally.failed);

const SCENARIOS: readonly Scenario[] = [
  {
    names: ['5 ms', '500 ms', 'streams of 3 s'].map(
      (calls) => `rolling restart, SIGTERM, ${calls}`,
    ),
    inGo: true,
    play: async (place) => failed(await rollingRestart(place, 'SIGTERM', [FAST, SLOW, STREAM])),
  },
  {
    names: ['5 ms', '500 ms'].map((calls) => `rolling restart, SIGINT, ${calls}`),
    inGo: true,
    play: async (place) => failed(await rollingRestart(place, 'SIGINT', [FAST, SLOW])),
  },
  {
    names: ['5 ms', '500 ms'].map((calls) => `rolling restart, app.close(), ${calls}`),
    inGo: false,
    play: async (place) => failed(await rollingRestart(place, 'close', [FAST, SLOW])),
  },
  {
    names: ['5 ms', '500 ms'].map((calls) => `rolling restart, hybrid app, SIGTERM, ${calls}`),
    inGo: false,
    play: async (place) => failed(await rollingRestart(place, 'SIGTERM', [FAST, SLOW], HYBRID)),
  },
  {
    names: ['5 ms', '500 ms'].map((calls) => `scale 3, 6, 2, ${calls}`),
    inGo: true,
    play: async (place) => failed(await scale(place, [FAST, SLOW])),
  },
  {
    names: ['kill -9 of one, idempotent', 'kill -9 of one, other'],
    inGo: true,
    play: async (place) => failed(await killOne(place, [FIND, FAST])),
  },
  {
    names: ['SIGSTOP of one, 1 s deadlines, idempotent'],
    inGo: true,
    play: async (place) => [(await freezeOne(place, HEDGED)).failed],
  },
  {
    names: [
      `SIGSTOP of one, 1 s deadlines, other, keepalive ${KEEPALIVE_MS} ms + ${KEEPALIVE_MS} ms`,
    ],
    inGo: true,
    play: async (place) => [(await freezeOne(place, KEEPALIVE)).failed],
  },
  {
    names: ['SIGSTOP of one: from the freeze to the last failed call'],
    unit: 'ms',
    inGo: true,
    play: async (place) => [(await freezeOne(place, KEEPALIVE)).cleanMs],
  },
  {
    names: ['all servers down, back: from the record to the first answer'],
    unit: 'ms',
    inGo: true,
    play: async (place) => [await downAndBack(place)],
  },
  {
    names: ['connections of at most 400 ms, no pause', 'connections of at most 400 ms, 5 ms'],
    inGo: true,
    play: async (place) => failed(await ageStorm(place, [{}, FAST])),
  },
  ...[0, 50, 200].map((drainDelayMs) => ({
    names: ['no pause', '5 ms'].map(
      (calls) => `scale 3, 6, 2, drainDelayMs ${drainDelayMs}, ${calls}`,
    ),
    inGo: false,
    play: async (place: Place) =>
      failed(await scale(place, [{}, FAST], { serviceOptions: { drainDelayMs } })),
  })),
];

/** @param parameters `full`; or words, which choose the scenarios whose names contain one of them */
export async function run(parameters: readonly string[]): Promise<BenchResult> {
  const [binary] = findEtcdBinaries();
  if (binary === undefined)
    throw new Error('the bench needs an etcd: install one, or build .cache/etcd');
  const form = parameters.includes('full') ? FORMS.full : FORMS.short;
  const words = parameters.filter((parameter) => parameter !== 'full');
  const wanted = SCENARIOS.filter(
    ({ names }) =>
      words.length === 0 || words.some((word) => names.some((name) => name.includes(word))),
  );
  const etcd = await EtcdProcess.start({ binary });
  const place = (side: Side, index: number): Place => ({
    side,
    etcd: etcd.hosts[0] ?? '',
    service: `bench-${index}-${side}`,
    form,
  });
  try {
    const rows: BenchRow[] = [];
    for (const [index, scenario] of wanted.entries()) {
      const ours = await scenario.play(place('nest', index));
      const reference =
        scenario.inGo && goAvailable() ? await scenario.play(place('go', index)) : [];
      rows.push(...scenario.names.map((name, at) => row(name, scenario, ours[at], reference[at])));
    }
    return {
      bench: 'deploys',
      node: process.version,
      etcd: `etcd ${binary.version}`,
      rows,
      notes: [goVersion(), `form: ${JSON.stringify(form)}`].filter((note) => note !== ''),
    };
  } finally {
    await stopEventProcesses();
    await etcd.stop();
  }
}

/**
 * A row of two counts, which may both be 0: equal counts have the ratio 1. A count of `NaN` means that it
 * does not exist.
 */
function row(
  name: string,
  { unit = 'failed calls', inGo }: Scenario,
  ours = Number.NaN,
  reference = Number.NaN,
): BenchRow {
  const referenceName = inGo ? 'grpc-go with etcd naming' : 'none';
  const ratio = ours === reference ? 1 : ours / reference;
  return { name, unit, ours, reference, referenceName, ratio };
}
