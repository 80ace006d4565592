import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { ServiceRegistrar } from 'nestjs-grpc-discovery';
import { AppModule } from './app.module.js';

async function bootstrap(): Promise<void> {
  // Port 0 binds any free port; the record in etcd has the bound port.
  const port = process.env['PORT'] ?? '9999';
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    transport: Transport.GRPC,
    options: {
      package: 'user',
      protoPath: join(import.meta.dirname, '../../proto/user.proto'),
      url: `0.0.0.0:${port}`,
    },
  });
  app.enableShutdownHooks();
  await app.listen();
  const [registration] = app.get(ServiceRegistrar).status.registrations;
  new Logger('Api').log(`Serving as ${registration?.address}.`);
}

await bootstrap();
