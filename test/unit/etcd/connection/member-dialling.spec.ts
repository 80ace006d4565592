/** An etcd client's attempts to connect, and the server name it sends. */
import { Etcd3 } from 'etcd3';
import { afterEach, describe, expect, it } from 'vitest';
import { MemberDialling } from '../../../../lib/etcd/connection/member-dialling.js';

interface Dialler {
  readonly pool: {
    readonly authenticator: {
      readonly credentials: {
        _createSecureConnector(
          target: object,
          options: object,
        ): { connectionOptions?: { servername?: string; host?: string } };
      };
    };
  };
}

const clients: Etcd3[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function connector(path: string) {
  const client = new Etcd3({ hosts: `https://${path}` });
  clients.push(client);
  expect(new MemberDialling(client)).toBeDefined();
  const { credentials } = (client as unknown as Dialler).pool.authenticator;
  return credentials._createSecureConnector({ scheme: 'dns', path }, {}).connectionOptions;
}

describe('MemberDialling', () => {
  it.each([
    ['127.0.0.1:2379', '127.0.0.1'],
    ['[::1]:2379', '::1'],
  ])('makes TLS verify %s as the host, and sends no server name', (path, host) => {
    expect(connector(path)).not.toHaveProperty('servername');
    expect(connector(path)).toMatchObject({ host });
  });

  it('sends the name of a member that has a name', () => {
    expect(connector('etcd.example:2379')).toMatchObject({ servername: 'etcd.example' });
  });

  it('aborts attempts in flight when it ends, fails later ones, and keeps open connections', async () => {
    const dialling = new MemberDialling({});
    let connected: AbortSignal | undefined;
    await dialling.run(async (signal) => (connected = signal));
    let pending: AbortSignal | undefined;
    const attempt = dialling.run(
      (signal) =>
        new Promise((_resolve, reject) => {
          pending = signal;
          signal.addEventListener('abort', () => reject(new Error('ended')));
        }),
    );
    dialling.end();
    await expect(attempt).rejects.toThrow('ended');
    expect(pending?.aborted).toBe(true);
    expect(connected?.aborted).toBe(false);
    await expect(dialling.run(() => Promise.resolve())).rejects.toThrow('closed');
  });

  it('patches nothing in a client with other private parts', () => {
    expect(new MemberDialling({ pool: {} })).toBeDefined();
  });
});
