import { beforeEach, expect, it } from 'vitest';
import { ConnectionReports } from '../../../../lib/registry/directory/connection-reports.js';

let lost: string[];
let reports: ConnectionReports;

beforeEach(() => {
  lost = [];
  reports = new ConnectionReports((address) => lost.push(address));
});

it('an address is ready from the first report of a connection to the last report of its end', () => {
  const [one, other] = [reports.open(), reports.open()];
  expect(reports.isReady('h:1')).toBe(false);
  one.report('h:1', true);
  other.report('h:1', true);
  expect([reports.isReady('h:1'), reports.isReady('h:2')]).toEqual([true, false]);
  one.report('h:1', false);
  expect([reports.isReady('h:1'), lost]).toEqual([true, []]);
  other.report('h:1', false);
  expect([reports.isReady('h:1'), lost]).toEqual([false, ['h:1']]);
});

it('a state that a channel reports twice counts once', () => {
  const [one, other] = [reports.open(), reports.open()];
  for (let time = 0; time < 3; time++) one.report('h:1', true);
  one.report('h:1', false);
  expect([reports.isReady('h:1'), lost]).toEqual([false, ['h:1']]);
  other.report('h:1', true);
  for (let time = 0; time < 3; time++) one.report('h:1', false);
  expect([reports.isReady('h:1'), lost]).toEqual([true, ['h:1']]);
});

it('the end of a connection that was never ready is not reported as a loss', () => {
  reports.open().report('h:1', false);
  expect(lost).toEqual([]);
});

it('the connections of a channel end when the channel closes', () => {
  const [one, other] = [reports.open(), reports.open()];
  for (const address of ['h:1', 'h:2']) one.report(address, true);
  other.report('h:2', true);
  one.close();
  expect([reports.isReady('h:1'), reports.isReady('h:2')]).toEqual([false, true]);
  expect(lost).toEqual(['h:1']);
  one.close();
  expect([reports.isReady('h:2'), lost]).toEqual([true, ['h:1']]);
});
