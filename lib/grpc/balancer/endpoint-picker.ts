/**
 * Adapts our pickers to gRPC's interface: it chooses a connection for each call and records how the call
 * ends.
 */
import { Metadata, status } from '@grpc/grpc-js';
import { callOutcome, refusalMs } from '../../balance/load/call-outcome.js';
import type { EndpointLoad } from '../../balance/load/endpoint-load.js';
import type { Picker, PickRequest } from '../../balance/picker.js';
import type { Clock, Random } from '../../core/clock.js';
import type { EndpointConnection } from '../connection/endpoint-connection.js';
import { HASH_KEY_HEADER } from '../interceptors/hash-key.js';
import {
  type GrpcPickArgs,
  type GrpcPicker,
  type GrpcPickResult,
  PickResultType,
  type Subchannel,
} from '../grpc-js/grpc-experimental.js';
import { WHOLE_ANSWER, type WholeAnswerMark, withWholeAnswer } from '../grpc-js/whole-answer.js';

/** What a picker reports to its balancer. */
export interface CallObserver {
  /** A call was sent to a connection. */
  readonly onPick: () => void;
  /** A measured call failed. */
  readonly onFailure: (load: EndpointLoad) => void;
}

/** The config selector sets this key on calls that stream: their duration says nothing about the server. */
export const STREAM_MARK = 'nestjs_grpc_discovery_stream';

/**
 * How often at most the picker asks the policy again if the policy chose an endpoint that the call has tried:
 * a random policy may do so many times.
 */
const REPICKS = 16;

/**
 * Keys in the pick information of a call: `TRIED` for the endpoints that the call has tried, `LOT` for its
 * random number. gRPC passes one such object to all picks of a call, and to no other call.
 */
const TRIED = Symbol('nestjs_grpc_discovery_tried');
const LOT = Symbol('nestjs_grpc_discovery_lot');
type PickHistory = { [TRIED]?: EndpointConnection | EndpointConnection[]; [LOT]?: number };

/** The result of a pick whose call waits for the next picker. */
const QUEUED = {
  pickResultType: PickResultType.QUEUE,
  subchannel: null,
  status: null,
  onCallStarted: null,
  onCallEnded: null,
} as GrpcPickResult;

/** The picker of a channel while at least one endpoint is ready. */
export class EndpointPicker implements GrpcPicker {
  private readonly request = new MetadataRequest();

  /**
   * @param measures whether durations and outcomes are recorded; if nothing needs them, calls are only
   *   counted
   */
  constructor(
    private readonly picker: Picker<EndpointConnection>,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly observer: CallObserver,
    private readonly measures: boolean,
  ) {}

  pick({ metadata, extraPickInfo }: GrpcPickArgs): GrpcPickResult {
    const { clock, observer } = this;
    const call = extraPickInfo as PickHistory;
    this.request.begin(metadata, call);
    let connection: EndpointConnection;
    try {
      connection = this.pickUntried(call);
    } catch (error) {
      return dropped(error);
    }
    observer.onPick();
    // All connections that the policy chose were lost in this turn of the event loop. The call waits for the
    // next picker, which follows at the end of the turn.
    if (connection.state !== 'ready') return QUEUED;
    // The end of the call is recorded in these statistics: by then another process may have the address, with
    // statistics of its own.
    const { load } = connection;
    const subchannel = subchannelFor(extraPickInfo, connection);
    if (!this.measures) return completed(subchannel, load.enter, load.leave);
    const isTimed = extraPickInfo[STREAM_MARK] === undefined;
    let startedMs = 0;
    return completed(
      subchannel,
      () => {
        startedMs = clock.now();
        load.started(startedMs, isTimed);
      },
      (code, details, trailers) => {
        const outcome = callOutcome(code, details);
        const refusedMs = outcome === 'failure' ? refusalMs(code, pushback(trailers)) : 0;
        load.ended(clock.now(), startedMs, outcome, isTimed, refusedMs);
        if (outcome === 'failure' || outcome === 'timeout') observer.onFailure(load);
      },
    );
  }

  /**
   * Picks an endpoint that the call has not tried yet, if the policy has one: an endpoint that failed or did
   * not answer is the least likely to answer now. No call goes to a connection that has just been lost.
   */
  private pickUntried(call: PickHistory): EndpointConnection {
    // If calls are not measured, a pick does not need the time, and reading the clock would be most of its
    // cost.
    const nowMs = this.measures ? this.clock.now() : 0;
    const connection = this.picker.pick(this.request, nowMs);
    if (connection === undefined) throw new Error('it chose no endpoint');
    if (connection.state === 'ready' && call[TRIED] === undefined) {
      call[TRIED] = connection;
      return connection;
    }
    return this.pickAgain(call, connection, nowMs);
  }

  private pickAgain(
    call: PickHistory,
    first: EndpointConnection,
    nowMs: number,
  ): EndpointConnection {
    const tried = [call[TRIED] ?? []].flat();
    const isFree = (one: EndpointConnection): boolean =>
      one.state === 'ready' && !tried.includes(one);
    let connection = first;
    for (let turn = 0; turn < REPICKS && !isFree(connection); turn++) {
      connection = this.picker.pick(this.request, nowMs);
    }
    if (!isFree(connection)) {
      connection = this.picker.pickOther?.(this.request, nowMs, isFree) ?? connection;
    }
    if (connection.state === 'ready') call[TRIED] = [...tried, connection];
    return connection;
  }
}

function subchannelFor(
  call: WholeAnswerMark,
  { transport }: EndpointConnection,
): Subchannel | undefined {
  const subchannel = transport?.subchannel;
  const retried = call[WHOLE_ANSWER];
  if (retried === undefined || subchannel === undefined) return subchannel;
  return withWholeAnswer(subchannel, retried);
}

function completed(
  subchannel: Subchannel | undefined,
  onCallStarted: GrpcPickResult['onCallStarted'],
  onCallEnded: GrpcPickResult['onCallEnded'],
): GrpcPickResult {
  return {
    pickResultType: PickResultType.COMPLETE,
    subchannel: subchannel ?? null,
    status: null,
    onCallStarted,
    onCallEnded,
  } as GrpcPickResult;
}

/** The pause before a retry that the server asks for (gRFC A6), as text. */
function pushback(trailers: Metadata): string | undefined {
  return trailers.get('grpc-retry-pushback-ms')[0]?.toString();
}

/**
 * The error text for a policy that threw. A policy may be the user's own: its errors must neither end the
 * process nor leave calls waiting.
 */
export function policyFailure(error: unknown): string {
  const what = error instanceof Error ? error.message : String(error);
  return `the client's load balancing policy failed: ${what}`;
}

/** The result of a pick whose policy threw: the call fails at once and is not retried. */
function dropped(error: unknown): GrpcPickResult {
  const details = policyFailure(error);
  return {
    pickResultType: PickResultType.DROP,
    subchannel: null,
    status: { code: status.INTERNAL, details, metadata: new Metadata() },
    onCallStarted: null,
    onCallEnded: null,
  } as GrpcPickResult;
}

/** The request that a policy sees. One object serves all calls, because no policy keeps it after the pick. */
class MetadataRequest implements PickRequest {
  private metadata: Metadata | undefined;
  private call: PickHistory = {};
  private hashKey: string | undefined;

  begin(metadata: Metadata, call: PickHistory): void {
    this.metadata = metadata;
    this.call = call;
    this.hashKey = undefined;
  }

  lot(random: Random): number {
    this.call[LOT] ??= random();
    return this.call[LOT];
  }

  header(name: string): string | undefined {
    if (name === HASH_KEY_HEADER && this.hashKey !== undefined) return this.hashKey;
    const value = this.metadata?.get(name)[0];
    if (value === undefined) return undefined;
    if (name !== HASH_KEY_HEADER) return String(value);
    // The hash key is removed from the metadata, so that it is not sent.
    this.metadata?.remove(name);
    this.hashKey = String(value);
    return this.hashKey;
  }
}
