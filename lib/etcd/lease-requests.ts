/** The requests etcd's lease API is used for. */
import { requireLeader } from './call-options.js';
import type { EtcdConnection } from './etcd-connection.js';
import { LeaseGoneError } from './etcd-error.js';
import { closeStream } from './close-stream.js';

/** A new lease. etcd may grant a longer time to live than asked for. */
export async function grantLease(
  connection: EtcdConnection,
  ttlSeconds: number,
): Promise<{ readonly leaseId: string; readonly ttlMs: number }> {
  const reply = await connection.request('lease grant', (member, options) =>
    member.leaseClient.leaseGrant({ TTL: ttlSeconds }, options),
  );
  return { leaseId: reply.ID, ttlMs: Number(reply.TTL) * 1_000 };
}

/**
 * Renews a lease once, on a stream of its own, so that nothing is left behind by a broken one.
 *
 * @throws LeaseGoneError
 */
export async function renewLease(connection: EtcdConnection, leaseId: string): Promise<void> {
  const ttlSeconds = await connection.request('lease keepalive', async (member, options) => {
    const stream = await member.leaseClient.leaseKeepAlive(requireLeader(options));
    return new Promise<number>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('end', () => reject(new Error('the keepalive stream ended without a reply')));
      stream.on('data', (reply) => {
        resolve(Number(reply.TTL));
        closeStream(stream);
      });
      stream.write({ ID: leaseId });
    });
  });
  if (ttlSeconds <= 0) throw new LeaseGoneError(`lease ${leaseId} has run out`);
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
