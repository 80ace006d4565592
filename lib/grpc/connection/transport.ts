/**
 * The interface between a connection and the transport below it. A connection knows nothing else of HTTP/2.
 * The one implementation uses grpc-js's subchannels (`subchannel-transport.ts`); another way to connect
 * implements this interface, and the rest of the folder stays as it is.
 */
import type { Endpoint } from '../../core/records/endpoint.js';
import type { Subchannel } from '../grpc-js/grpc-experimental.js';

/**
 * - `idle`: not connected, no attempt under way.
 * - `connecting`: an attempt is under way.
 * - `ready`: connected.
 * - `failed`: the last attempt failed; after `connect` the next attempt follows with backoff.
 */
export type TransportState = 'idle' | 'connecting' | 'ready' | 'failed';

/** Called at every change of a transport's state; `error` says why an attempt failed. */
export type TransportListener = (state: TransportState, error?: string) => void;

/** Receives the reports of one `grpc.health.v1.Health/Watch` call until the caller ends it. */
export interface HealthListener {
  /** The server answered with this number of `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
  onAnswer(serving: number): void;
  /** The call ended; `code` is the name of its gRPC status. */
  onEnd(code: string, details: string): void;
}

/** A transport to one endpoint. The connection that made it uses it until `release`. */
export interface Transport {
  readonly state: TransportState;
  /** The subchannel that a pick returns to grpc-js. */
  readonly subchannel: Subchannel;
  /** Sets the listener in place of the one before. */
  listen(listener: TransportListener): void;
  /** Begins an attempt if none is under way; after a failed attempt, once its backoff has passed. */
  connect(): void;
  /** Ends the backoff: an attempt that waits for it begins now. */
  resetBackoff(): void;
  /**
   * Ends the attempt under way, which then counts as failed.
   *
   * @returns false if the attempt cannot be ended: the caller then releases the transport and makes another
   */
  breakOff(): boolean;
  /**
   * Asks the server for the health of a service, and for every change of it; returns a function that ends the
   * call.
   */
  watchHealth(service: string, listener: HealthListener): () => void;
  /**
   * Stops listening and gives the transport up. Calls in flight finish; an attempt ends when the last user of
   * the transport releases it.
   */
  release(): void;
}

/**
 * Makes a transport.
 *
 * @param attempt number of the attempt. Attempts with different numbers never share a transport, so that a
 *   new attempt does not end together with an abandoned one.
 */
export type DialTransport = (endpoint: Endpoint, attempt: number) => Transport;
