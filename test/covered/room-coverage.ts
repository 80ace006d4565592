/** Adds up what the unit tests cover, for each room of the library. */

/** How much of something is covered. */
export interface Share {
  readonly covered: number;
  readonly total: number;
}

/** What is covered of a file or a room. */
export interface Coverage {
  readonly lines: Share;
  readonly branches: Share;
}

/** The rooms in the order of the report. */
export const ROOMS: readonly string[] = [
  'core',
  'balance',
  'registry',
  'grpc',
  'nest',
  'etcd',
  'testing',
];

/**
 * The share of its branches that unit tests must cover in a room, in percent. The other rooms are tested by
 * processes.
 */
export const BRANCH_THRESHOLDS: Readonly<Record<string, number>> = {
  core: 90,
  balance: 90,
  registry: 90,
  grpc: 85,
  nest: 85,
};

/**
 * The sums of each room.
 *
 * @param files what is covered of each file, by its absolute path
 */
export function coverageOfRooms(
  files: Iterable<readonly [path: string, coverage: Coverage]>,
): ReadonlyMap<string, Coverage> {
  const nothing: Coverage = { lines: { covered: 0, total: 0 }, branches: { covered: 0, total: 0 } };
  const rooms = new Map(ROOMS.map((room) => [room, nothing]));
  for (const [path, { lines, branches }] of files) {
    const room = /.*\/lib\/([^/]+)\//.exec(path.replaceAll('\\', '/'))?.[1] ?? '';
    const before = rooms.get(room);
    if (before === undefined) continue;
    rooms.set(room, { lines: add(before.lines, lines), branches: add(before.branches, branches) });
  }
  return rooms;
}

/** The report: one line for each room. */
export function formatRooms(rooms: ReadonlyMap<string, Coverage>): string {
  const rows = [...rooms].map(
    ([room, { lines, branches }]) =>
      `${room.padEnd(10)}${percent(lines)}${percent(branches)}${`${BRANCH_THRESHOLDS[room] ?? '-'}`.padStart(12)}`,
  );
  return [
    `${'room'.padEnd(10)}${'lines'.padStart(10)}${'branches'.padStart(10)}${'threshold'.padStart(12)}`,
    ...rows,
  ].join('\n');
}

function add(one: Share, other: Share): Share {
  return { covered: one.covered + other.covered, total: one.total + other.total };
}

function percent({ covered, total }: Share): string {
  return (total === 0 ? '-' : `${((100 * covered) / total).toFixed(1)} %`).padStart(10);
}
