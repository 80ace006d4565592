/** The requests etcd's lease API is used for. */
import { requireLeader } from '../connection/call-options.js';
import type { EtcdConnection } from '../connection/etcd-connection.js';
import { LeaseGoneError } from '../connection/etcd-error.js';
import { closeStream } from '../watch/close-stream.js';
import { integerField, malformed, textField } from '../connection/reply-fields.js';

/** A longest time to live that is counted with, in milliseconds: a lease that lives longer is renewed as one that lives a day. */
const LONGEST_TTL_MS = 86_400_000;

/**
 * A new lease. etcd may grant a longer time to live than asked for.
 *
 * @throws DiscoveryError, also where what is granted is no lease that could be kept
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
 * Renews a lease once, on a stream of its own, so that nothing is left behind by a broken one.
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
 * Revokes a lease; its keys go with it. A lease that is gone already counts as revoked.
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
