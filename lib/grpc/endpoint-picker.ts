/** A picker of ours in the form a gRPC channel asks for: per call it chooses a connection and listens to how the call ends. */
import type { Metadata } from '@grpc/grpc-js';
import { callOutcome } from '../balance/call-outcome.js';
import type { Picker, PickRequest } from '../balance/picker.js';
import type { EndpointConnection } from './endpoint-connection.js';
import {
  type GrpcPickArgs,
  type GrpcPicker,
  type GrpcPickResult,
  PickResultType,
} from './grpc-experimental.js';

/** What a picker tells its balancer, and what it asks it for. */
export interface PickerHost {
  now(): number;
  /** A call was sent on its way. */
  onPick(): void;
  /** Whether calls are to be measured; where nothing depends on it the cost is saved. */
  readonly measures: boolean;
}

/** Under this key a config selector marks calls whose duration says nothing about the server. */
export const STREAM_MARK = 'nestjs_grpc_discovery_stream';

/** The picker of a channel while at least one endpoint is ready. */
export class EndpointPicker implements GrpcPicker {
  private readonly request = new MetadataRequest();

  constructor(
    private readonly picker: Picker<EndpointConnection>,
    private readonly host: PickerHost,
  ) {}

  pick({ metadata, extraPickInfo }: GrpcPickArgs): GrpcPickResult {
    const { host } = this;
    this.request.metadata = metadata;
    const connection = this.picker.pick(this.request, host.now());
    host.onPick();
    if (!host.measures) return completed(connection, null, null);
    // Bound here: by the time the call ends, the endpoint may be another process with statistics of its own.
    const { load } = connection;
    const isTimed = extraPickInfo[STREAM_MARK] === undefined;
    let startedMs = 0;
    return completed(
      connection,
      () => {
        startedMs = host.now();
        load.started(startedMs, isTimed);
      },
      (code) => load.ended(host.now(), startedMs, callOutcome(code), isTimed),
    );
  }
}

function completed(
  connection: EndpointConnection,
  onCallStarted: GrpcPickResult['onCallStarted'],
  onCallEnded: GrpcPickResult['onCallEnded'],
): GrpcPickResult {
  return {
    pickResultType: PickResultType.COMPLETE,
    subchannel: connection.subchannel ?? null,
    status: null,
    onCallStarted,
    onCallEnded,
  } as GrpcPickResult;
}

/** One object for all calls: a pick reads it and keeps nothing. */
class MetadataRequest implements PickRequest {
  metadata: Metadata | undefined;

  header(name: string): string | undefined {
    const value = this.metadata?.get(name)[0];
    return value === undefined ? undefined : String(value);
  }
}
