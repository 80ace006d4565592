/**
 * Decides what a channel does with its calls, from how many of its connections are in each state.
 *
 * The first row that fits counts:
 *
 * | situation                                          | calls                                           |
 * | -------------------------------------------------- | ----------------------------------------------- |
 * | no connections, the list has endpoints             | fail: routing excludes all of them              |
 * | no connections, the list is empty                  | fail with the resolver's note                   |
 * | a connection is ready                              | go to the picker                                |
 * | `eager` connections (or all, if fewer) have failed | fail with the reason of the last failed attempt |
 * | otherwise                                          | wait                                            |
 */
import type { ConnectionState } from '../connection/endpoint-connection.js';
import type { ListFacts } from '../list-facts.js';

/** What a channel does with its calls. Calls with `waitForReady` wait where other calls fail. */
export type AggregateState =
  | { readonly calls: 'pick' }
  | { readonly calls: 'wait' }
  | { readonly calls: 'fail'; readonly details: string };

/** What the state of a channel depends on. */
interface Aggregate {
  /** How many connections are in each state. */
  readonly count: Readonly<Record<ConnectionState, number>>;
  /** The reason of the last failed attempt of any connection; `undefined`: none has failed. */
  readonly lastError: string | undefined;
  readonly list: Pick<ListFacts, 'hasEndpoints' | 'note'>;
  /** How many connections the plan makes before any call asks for more. */
  readonly eager: number;
}

/** The state of a channel, by the table at the top of this file. */
export function aggregateState({ count, lastError, list, eager }: Aggregate): AggregateState {
  const { note } = list;
  const size = count.idle + count.connecting + count.ready + count.failed;
  if (size === 0) {
    if (list.hasEndpoints)
      return fail(`[NO_ENDPOINTS] no endpoint matches the client's routing (${note})`);
    return fail(note === '' ? '[NO_ENDPOINTS] the list of endpoints is empty' : note);
  }
  if (count.ready > 0) return { calls: 'pick' };
  if (count.failed < Math.min(size, eager)) return { calls: 'wait' };
  return fail(
    `[NO_ENDPOINTS] none of ${size} endpoints can be reached (${note}); last: ${lastError ?? 'no connection was tried yet'}`,
  );
}

function fail(details: string): AggregateState {
  return { calls: 'fail', details };
}
