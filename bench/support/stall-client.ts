/**
 * A client process that uses a small part of a long list. It calls once, then prints every two seconds how
 * busy it is (`busy-ticks.ts`). Arguments: the host of etcd, the service, the mean time between two whole
 * lists in milliseconds.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryModule } from '../../lib/index.js';
import { clientOf } from './balanced-fleet.js';
import { tellBusyTicks } from './busy-ticks.js';

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
await tellBusyTicks();
