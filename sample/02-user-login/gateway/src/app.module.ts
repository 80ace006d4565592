import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { DiscoveryModule } from 'nestjs-grpc-discovery';
import { LoginController } from './login/login.controller.js';

@Module({
  imports: [
    // etcd: ETCD_HOSTS (comma-separated), else http://127.0.0.1:2379.
    DiscoveryModule.forRoot(),
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
  controllers: [LoginController],
})
export class AppModule {}
