/** The cases of the contract as data, and how they run: each on every server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaseServer } from './case-server.js';
import { RawClient } from './raw-client.js';
import { type RunningTarget, contractTargets } from './targets.js';

/** One behaviour: what is done, and what must come of it on every server. */
export interface ContractCase {
  readonly name: string;
  run(server: CaseServer): Promise<unknown>;
  readonly expected: unknown;
  /** Servers that are known to differ, with the reason; listed in docs/embedded-etcd.md. */
  readonly differs?: Readonly<Record<string, string>>;
}

/** Runs every case on every server, one server per kind. */
export function contract(title: string, cases: readonly ContractCase[]): void {
  for (const target of contractTargets()) {
    describe(`${title} on ${target.name}`, () => {
      let running: RunningTarget;
      let client: RawClient;
      beforeAll(async () => {
        running = await target.start();
        client = new RawClient(running.address);
      });
      afterAll(async () => {
        client?.close();
        await running?.stop();
      });
      cases.forEach((contractCase, index) => {
        const reason = contractCase.differs?.[target.name];
        const check = reason === undefined ? it : it.fails;
        check(
          `${contractCase.name}${reason === undefined ? '' : ` (differs: ${reason})`}`,
          async () => {
            const server = await CaseServer.open(client, running, `case-${index}/`);
            try {
              expect(await contractCase.run(server)).toEqual(contractCase.expected);
            } finally {
              server.close();
            }
          },
        );
      });
    });
  }
}
