/** The requests to etcd's lease API. */
import { requireLeader } from '../connection/call-options.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { LeaseGoneError } from '../connection/etcd-error.js';
import { closeStream } from '../watch/close-stream.js';
import { integerField, malformed, textField } from '../connection/reply-fields.js';

/**
 * The longest time to live that the schedule uses, in milliseconds: a longer lease is renewed as often as one
 * of a day.
 */
const LONGEST_TTL_MS = 86_400_000;

/**
 * Asks for a new lease. etcd may grant a longer time to live than the requested one.
 *
 * @throws DiscoveryError, also if the granted lease has no id or no time to live
 */
export async function grantLease(
  connection: EtcdConnection,
  ttlSeconds: number,
): Promise<{ readonly leaseId: string; readonly ttlMs: number }> {
  return connection.request('lease grant', async (member, options) => {
    const reply: unknown = await member.leaseClient.leaseGrant({ TTL: ttlSeconds }, options);
    const leaseId = textField(reply, 'ID');
    const granted = integerField(reply, 'TTL');
    if (leaseId === '0') malformed('the lease has no ID');
    if (granted <= 0n) malformed(`the lease lives for ${granted} s`);
    return { leaseId, ttlMs: Math.min(Number(granted) * 1_000, LONGEST_TTL_MS) };
  });
}

/**
 * Renews a lease once, on a stream of its own, so that a broken stream affects one renewal only.
 *
 * @throws DiscoveryError; LeaseGoneError
 */
export async function renewLease(connection: EtcdConnection, leaseId: string): Promise<void> {
  const ttlSeconds = await connection.request('lease keepalive', async (member, options) => {
    const stream = await member.leaseClient.leaseKeepAlive(requireLeader(options));
    return new Promise<bigint>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('the keepalive stream ended without a reply')));
      stream.on('data', (reply) => {
        closeStream(stream);
        try {
          const found = textField(reply, 'ID');
          if (found !== leaseId) malformed(`it is about lease ${found}`);
          resolve(integerField(reply, 'TTL'));
        } catch (error) {
          reject(error);
        }
      });
      stream.write({ ID: leaseId });
    });
  });
  if (ttlSeconds <= 0n) throw new LeaseGoneError(`lease ${leaseId} has run out`);
}

/**
 * Revokes a lease, which deletes its keys. A lease that no longer exists counts as revoked.
 *
 * @param totalMs how long this may take, in milliseconds
 */
export async function revokeLease(
  connection: EtcdConnection,
  leaseId: string,
  totalMs?: number,
): Promise<void> {
  try {
    await connection.request(
      'lease revoke',
      (member, options) => member.leaseClient.leaseRevoke({ ID: leaseId }, options),
      'last',
      totalMs,
    );
  } catch (error) {
    if (!(error instanceof LeaseGoneError)) throw error;
  }
}
