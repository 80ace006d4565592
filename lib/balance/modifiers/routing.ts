import type { Random } from '../../core/clock.js';
import { metadataField } from '../../core/records/endpoint.js';
import type { Candidate, EndpointFacts } from '../candidate.js';
import type { Picker, PickRequest } from '../picker.js';

/** What an endpoint's record must have to match: all given fields. Numbers and booleans equal their text. */
export interface EndpointMatch {
  readonly version?: string;
  readonly zone?: string;
  /** Fields of the endpoint's `Metadata`. */
  readonly metadata?: { readonly [field: string]: string | number | boolean };
}

/** Which calls go to the endpoints that are set apart as canaries: those that `share` or `header` selects. */
export interface CanaryOptions {
  /** Which endpoints are canaries: they get the selected calls and no others. */
  readonly match: EndpointMatch;
  /** The share of calls that go to the canaries, drawn at random, in [0, 1]. Default 0. */
  readonly share?: number;
  /** Calls whose metadata has this key go to the canaries; with `value`, only if the key has this value. */
  readonly header?: { readonly name: string; readonly value?: string };
}

/** Which endpoints a client calls. */
export interface RoutingOptions {
  /** Only endpoints that match are called. If none matches, calls fail: no call may reach a wrong version. */
  readonly match?: EndpointMatch;
  /** Endpoints, among those that match, which get only some calls. */
  readonly canary?: CanaryOptions;
}

/** Whether an endpoint's record has all fields of `match`. */
export function matchesEndpoint(
  facts: Pick<EndpointFacts, 'endpoint' | 'zone' | 'version'>,
  match: EndpointMatch,
): boolean {
  if (match.version !== undefined && facts.version !== match.version) return false;
  if (match.zone !== undefined && facts.zone !== match.zone) return false;
  for (const [field, wanted] of Object.entries(match.metadata ?? {})) {
    const found = metadataField(facts.endpoint, field);
    if (found === undefined || found === null || typeof found === 'object') return false;
    if (String(found) !== String(wanted)) return false;
  }
  return true;
}

/** Sends each call to the canaries or to the other endpoints; each of the two has a picker of its own. */
export class CanaryPicker<C extends Candidate> implements Picker<C> {
  private readonly share: number;

  /**
   * @param stable picks among the endpoints that are no canaries
   * @param canary picks among the canaries
   * @param options which calls are for the canaries
   * @param random draws one number per call, if the canaries get a share
   */
  constructor(
    readonly stable: Picker<C>,
    readonly canary: Picker<C>,
    private readonly options: CanaryOptions,
    private readonly random: Random,
  ) {
    this.share = options.share ?? 0;
  }

  pick(request: PickRequest, nowMs: number): C {
    return this.pickerOf(request).pick(request, nowMs);
  }

  pickOther(request: PickRequest, nowMs: number, isFree: (candidate: C) => boolean): C | undefined {
    return this.pickerOf(request).pickOther?.(request, nowMs, isFree);
  }

  private pickerOf(request: PickRequest): Picker<C> {
    return this.isForCanary(request) ? this.canary : this.stable;
  }

  private isForCanary(request: PickRequest): boolean {
    const { header } = this.options;
    if (header !== undefined) {
      const value = request.header(header.name);
      if (value !== undefined && (header.value === undefined || value === header.value))
        return true;
    }
    if (this.share === 0) return false;
    // All attempts of a call use the same random number: otherwise its retries would reach the canaries
    // sooner or later.
    return (request.lot?.(this.random) ?? this.random()) < this.share;
  }
}
