/**
 * A client process that uses a share of a long list and little time: calls once, then says every second how busy it was, as
 * `{ event: 'tick', cpuPercent, stallMs }`, and ends when its standard input closes. Arguments: the host of etcd, the service, the mean
 * time between two whole lists in milliseconds.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryModule } from '../../lib/index.js';
import { clientOf } from './balanced-fleet.js';

/** How often the event loop is looked at, in milliseconds. */
const LOOK_MS = 5;

const [, , host = '', service = '', relistIntervalMs = '60000'] = process.argv;

@Module({
  imports: [
    DiscoveryModule.forRoot({
      etcd: { hosts: [host], timings: { relistIntervalMs: Number(relistIntervalMs) } },
    }),
  ],
})
class ClientModule {}

const app = await NestFactory.createApplicationContext(ClientModule, { logger: false });
const client = clientOf({ app }, service, { subsetSize: 8 });
await client.call({ timeoutMs: 60_000 });

let usage = process.cpuUsage();
let lookedAt = performance.now();
let busyMs = 0;
let tickedAt = lookedAt;
let stallMs = 0;
setInterval(() => {
  const now = performance.now();
  const { user, system } = process.cpuUsage(usage);
  usage = process.cpuUsage();
  const usedMs = (user + system) / 1_000;
  busyMs += usedMs;
  // Time for which others had the core is no stall of this process.
  stallMs = Math.max(stallMs, Math.min(now - lookedAt - LOOK_MS, usedMs));
  lookedAt = now;
  if (now - tickedAt < 1_000) return;
  const cpuPercent = (busyMs / (now - tickedAt)) * 100;
  process.stdout.write(`${JSON.stringify({ event: 'tick', cpuPercent, stallMs })}\n`);
  busyMs = stallMs = 0;
  tickedAt = now;
}, LOOK_MS);
process.stdin.on('end', () => process.exit(0)).resume();
