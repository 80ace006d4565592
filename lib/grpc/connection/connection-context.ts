/** What a balancer gives its connections: subchannels of its channel, time, and the settings as they are at each moment. */
import type { ChannelOptions } from '@grpc/grpc-js';
import type { Clock, Random } from '../../core/clock.js';
import type { Endpoint } from '../../core/records/endpoint.js';
import { endpointAddress } from '../../core/records/endpoint-address.js';
import { createSubchannel } from './connect-attempts.js';
import type { ConnectionContext } from './endpoint-connection.js';
import type { ChannelControlHelper } from '../grpc-js/grpc-experimental.js';

/** Time and randomness. */
export interface BalancerPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** Channel option: 1 has keepalive pings stay within what servers in Go bear. */
export const SPARING_PINGS_OPTION = 'nestjs_grpc_discovery.sparing_pings';

/** The settings that connections look at whenever they need them. */
export type LiveSettings = Pick<ConnectionContext, 'connectTimeoutMs' | 'healthService'>;

/** Makes attempts that follow a given-up one different connections in grpc-js's pool. */
const ATTEMPT_OPTION = 'nestjs_grpc_discovery.attempt';

/**
 * @param options what makes a connection, as `subchannelOptions` leaves it
 * @param live read at each use
 */
export function createConnectionContext(
  helper: ChannelControlHelper,
  options: ChannelOptions,
  ports: BalancerPorts,
  live: LiveSettings,
  { onChange }: Pick<ConnectionContext, 'onChange'>,
): ConnectionContext {
  return {
    clock: ports.clock,
    random: ports.random,
    sparesPings: options[SPARING_PINGS_OPTION] === 1,
    createSubchannel: (endpoint, attempt) =>
      createSubchannel(
        helper,
        dialAddress(endpoint),
        attempt === 0 ? options : { ...options, [ATTEMPT_OPTION]: attempt },
      ),
    onChange,
    get connectTimeoutMs() {
      return live.connectTimeoutMs;
    },
    get healthService() {
      return live.healthService;
    },
  };
}

function dialAddress(endpoint: Endpoint) {
  const address = endpointAddress(endpoint);
  if (address === undefined) throw new Error(`"${endpoint.address}" cannot be dialled`);
  const { kind: _, ...subchannelAddress } = address;
  return subchannelAddress;
}
