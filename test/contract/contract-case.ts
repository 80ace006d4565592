/** The cases of the contract as data, and the function that runs each of them on every server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaseServer } from './case-server.js';
import { RawClient } from './raw-client.js';
import { type RunningTarget, contractTargets } from './targets.js';

/** One behaviour: what a case does, and the result that every server must give. */
export interface ContractCase {
  readonly name: string;
  run(server: CaseServer): Promise<unknown>;
  readonly expected: unknown;
  /** Servers that are known to differ, with the reason; docs/embedded-etcd.md lists them. */
  readonly differs?: Readonly<Record<string, string>>;
}

/** Runs every case on every server; the cases of one kind of server share one server. */
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
