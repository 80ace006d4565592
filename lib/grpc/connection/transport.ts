/**
 * The transport below one connection: the only thing that a connection knows of HTTP/2. Today grpc-js's subchannel is the one
 * implementation (`subchannel-transport.ts`); another way to connect implements this interface and leaves the rest of the folder alone.
 */
import type { Endpoint } from '../../core/records/endpoint.js';
import type { Subchannel } from '../grpc-js/grpc-experimental.js';

/**
 * - `idle`: not connected, no attempt under way.
 * - `connecting`: an attempt is under way.
 * - `ready`: connected.
 * - `failed`: the last attempt failed; `connect` has the next one follow after a backoff.
 */
export type TransportState = 'idle' | 'connecting' | 'ready' | 'failed';

/** Called at every change of the state; `error` says why an attempt failed. */
export type TransportListener = (state: TransportState, error?: string) => void;

/** What one `grpc.health.v1.Health/Watch` call reports, until the caller ends it. */
export interface HealthListener {
  /** The server's answer, as `grpc.health.v1.HealthCheckResponse.ServingStatus` numbers it. */
  onAnswer(serving: number): void;
  /** The call ended: `code` by the name of the gRPC status. */
  onEnd(code: string, details: string): void;
}

/** A transport to one endpoint. Whoever makes it holds it until `release`. */
export interface Transport {
  readonly state: TransportState;
  /** What a pick hands to grpc-js for its calls. */
  readonly subchannel: Subchannel;
  /** Has the listener called in place of the one before. */
  listen(listener: TransportListener): void;
  /** Begins an attempt, if none is under way; after a failed one, once its backoff has passed. */
  connect(): void;
  /** Ends the backoff: an attempt that waits for it begins now. */
  resetBackoff(): void;
  /**
   * Ends the attempt under way, which then counts as one that failed.
   *
   * @returns false if it cannot be ended: the caller releases the transport and makes another
   */
  breakOff(): boolean;
  /** Asks the server for the health of a service, and for every change; returns what ends the call. */
  watchHealth(service: string, listener: HealthListener): () => void;
  /** Stops listening and gives the transport up. Calls in flight finish; an attempt ends with the last user of the transport. */
  release(): void;
}

/**
 * Makes a transport.
 *
 * @param attempt attempts with different numbers never share a transport, so that a new one does not inherit the fate of one that was
 *   given up
 */
export type DialTransport = (endpoint: Endpoint, attempt: number) => Transport;
