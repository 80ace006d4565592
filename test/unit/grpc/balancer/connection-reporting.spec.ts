import { connectivityState } from '@grpc/grpc-js';
import { beforeEach, expect, it } from 'vitest';
import {
  connectionAttributes,
  ConnectionReporting,
} from '../../../../lib/grpc/balancer/connection-reporting.js';
import type { ChannelControlHelper } from '../../../../lib/grpc/grpc-js/grpc-experimental.js';
import { ConnectionReports } from '../../../../lib/registry/directory/connection-reports.js';
import { FakeSubchannel } from '../fake-channel.js';

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;

let passedOn: unknown[];
let made: FakeSubchannel[];
let initial: connectivityState;
let lost: string[];
let reports: ConnectionReports;
let reporting: ConnectionReporting;

beforeEach(() => {
  passedOn = [];
  made = [];
  initial = IDLE;
  lost = [];
  reports = new ConnectionReports((address) => lost.push(address));
  const note =
    (name: string) =>
    (...given: unknown[]): void =>
      void passedOn.push([name, ...given]);
  const helper = {
    createSubchannel: (address: { host?: string; port?: number; path?: string }) => {
      const subchannel = new FakeSubchannel(JSON.stringify(address), {});
      subchannel.state = initial;
      subchannel.ref();
      made.push(subchannel);
      return subchannel.asSubchannel;
    },
    updateState: note('updateState'),
    requestReresolution: note('requestReresolution'),
    addChannelzChild: note('addChannelzChild'),
    removeChannelzChild: note('removeChannelzChild'),
  };
  reporting = new ConnectionReporting(helper as unknown as ChannelControlHelper);
});

function connect(host: string, port: number): FakeSubchannel {
  reporting.helper.createSubchannel({ host, port }, {});
  return made.at(-1)!;
}

const follow = (to = reports): void => reporting.follow(connectionAttributes(to));

it('an address is reported as ready while a subchannel to it is ready', () => {
  follow();
  const subchannel = connect('10.0.0.1', 80);
  expect(reports.isReady('10.0.0.1:80')).toBe(false);
  subchannel.become(CONNECTING);
  subchannel.become(READY);
  expect(reports.isReady('10.0.0.1:80')).toBe(true);
  subchannel.become(TRANSIENT_FAILURE);
  expect([reports.isReady('10.0.0.1:80'), lost]).toEqual([false, ['10.0.0.1:80']]);
});

it.each([
  [{ host: '::1', port: 80 }, '[::1]:80'],
  [{ path: '/tmp/api' }, 'unix:/tmp/api'],
])('the address %j is reported as %s', (address, expected) => {
  follow();
  reporting.helper.createSubchannel(address as never, {});
  made[0]?.become(READY);
  expect(reports.isReady(expected)).toBe(true);
});

it('a new subchannel that another channel has connected is reported as ready at once', () => {
  follow();
  initial = READY;
  connect('h', 1);
  expect(reports.isReady('h:1')).toBe(true);
});

it('an address with two subchannels is ready while either of them is ready', () => {
  follow();
  const [one, other] = [connect('h', 1), connect('h', 1)];
  one.become(READY);
  other.become(READY);
  one.become(IDLE);
  expect([reports.isReady('h:1'), lost]).toEqual([true, []]);
  other.become(IDLE);
  expect([reports.isReady('h:1'), lost]).toEqual([false, ['h:1']]);
});

it('a subchannel that the balancer releases is not reported any more, even if other channels use it', () => {
  follow();
  const subchannel = connect('h', 1);
  subchannel.become(READY);
  subchannel.asSubchannel.unref();
  expect([reports.isReady('h:1'), subchannel.refs, subchannel.listenerCount]).toEqual([
    false,
    0,
    0,
  ]);
  subchannel.become(IDLE);
  subchannel.become(READY);
  expect([reports.isReady('h:1'), lost]).toEqual([false, ['h:1']]);
});

it('follow() reports the existing connections to the new directory, and withdraws them from the old one', () => {
  connect('h', 1).become(READY);
  connect('h', 2);
  follow();
  expect([reports.isReady('h:1'), reports.isReady('h:2')]).toEqual([true, false]);
  const next = new ConnectionReports(() => {});
  follow(next);
  expect([reports.isReady('h:1'), next.isReady('h:1')]).toEqual([false, true]);
  expect(lost).toEqual(['h:1']);
  follow(next);
  expect(next.isReady('h:1')).toBe(true);
});

it('follow() does not report a connection that has ended to the new directory', () => {
  follow();
  const subchannel = connect('h', 1);
  subchannel.become(READY);
  subchannel.become(IDLE);
  const next = new ConnectionReports(() => {});
  follow(next);
  expect(next.isReady('h:1')).toBe(false);
});

it('follow() of the same directory reports nothing anew', () => {
  follow();
  connect('h', 1).become(READY);
  follow();
  expect([reports.isReady('h:1'), lost]).toEqual([true, []]);
});

it('connections are not reported if the resolver named no directory', () => {
  reporting.follow({});
  connect('h', 1).become(READY);
  expect(reports.isReady('h:1')).toBe(false);
});

it('close() withdraws all connections of the channel, and ends the reporting', () => {
  follow();
  connect('h', 1).become(READY);
  reporting.close();
  expect([reports.isReady('h:1'), lost]).toEqual([false, ['h:1']]);
  connect('h', 2).become(READY);
  expect(reports.isReady('h:2')).toBe(false);
});

it('all calls of the helper except createSubchannel go to the channel unchanged', () => {
  const { helper } = reporting;
  helper.updateState(READY, 'picker' as never, null);
  helper.requestReresolution();
  helper.addChannelzChild('child' as never);
  helper.removeChannelzChild('child' as never);
  expect(passedOn).toEqual([
    ['updateState', READY, 'picker', null],
    ['requestReresolution'],
    ['addChannelzChild', 'child'],
    ['removeChannelzChild', 'child'],
  ]);
});
