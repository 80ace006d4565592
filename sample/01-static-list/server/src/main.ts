import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { AppModule } from './app.module.js';

async function bootstrap(): Promise<void> {
  const port = process.env['PORT'] ?? '9999';
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    transport: Transport.GRPC,
    options: {
      package: 'user',
      protoPath: join(import.meta.dirname, '../../proto/user.proto'),
      url: `localhost:${port}`,
      gracefulShutdown: true,
    },
  });
  app.enableShutdownHooks();
  await app.listen();
  new Logger('StaticServer').log(`Serving on localhost:${port}.`);
}

await bootstrap();
