/**
 * A client process whose calls are measured once it has made enough of them to be at full speed. It prints an
 * event `measured` with the cost of a call, and ends. Arguments: hosts of etcd, service, addresses of the
 * servers, and `ours`, `one` or `three`.
 */
import { bareClient, clientOf, openClients, ROUND_ROBIN } from './balanced-fleet.js';
import { measureCalls } from './user-calls.js';

const WARM_UP_CALLS = 15_000;
const CALLS = 30_000;
const CONCURRENCY = 32;

const [, , host = '', service = '', addresses = '', kind = ''] = process.argv;

async function openClient() {
  if (kind === 'ours') {
    return clientOf(await openClients([host]), service, { loadBalancing: 'round_robin' });
  }
  if (kind === 'one') return bareClient(addresses.split(',')[0] ?? '', {});
  return bareClient(`ipv4:${addresses}`, { 'grpc.service_config': ROUND_ROBIN });
}

const client = await openClient();
await measureCalls(() => client.call(), WARM_UP_CALLS, CONCURRENCY);
const cost = await measureCalls(() => client.call(), CALLS, CONCURRENCY);
process.stdout.write(`${JSON.stringify({ event: 'measured', ...cost })}\n`, () => process.exit(0));
