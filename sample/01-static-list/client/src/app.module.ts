import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { DiscoveryModule, StaticRegistry } from 'nestjs-grpc-discovery';
import { LoginService } from './login/login.service.js';

const registry = new StaticRegistry({
  api: ['localhost:9999', 'localhost:9998', 'localhost:9997'],
});

@Module({
  imports: [
    DiscoveryModule.forRoot({ registry }),
    DiscoveryModule.forFeature([
      {
        name: 'api',
        package: 'user',
        protoPath: join(import.meta.dirname, '../../proto/user.proto'),
        loadBalancing: 'round_robin',
        timeoutMs: 2_000,
      },
    ]),
  ],
  providers: [LoginService],
})
export class AppModule {}
