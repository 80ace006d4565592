import type { Candidate } from './candidate.js';
import type { Picker } from './picker.js';

/**
 * All calls to one endpoint while it lives: the one that had them so far, else the first of the list.
 *
 * Source: gRPC's pick_first (grpc/doc/load-balancing.md); which endpoint is first is the balancer's affair.
 */
export class FirstChoice<C extends Candidate> implements Picker<C> {
  private readonly chosen: C;

  /**
   * @param candidates at least one
   * @param previous the picker this one replaces
   */
  constructor(candidates: readonly C[], previous?: Picker<C>) {
    const before =
      previous instanceof FirstChoice ? (previous as FirstChoice<C>).chosen : undefined;
    const stays = before !== undefined && candidates.includes(before);
    this.chosen = stays ? before : candidates[0]!;
  }

  pick(): C {
    return this.chosen;
  }
}
