import { Module } from '@nestjs/common';
import { DiscoveryModule } from 'nestjs-grpc-discovery';
import { UserController } from './user/user.controller.js';

@Module({
  imports: [
    DiscoveryModule.forRoot({
      // etcd: ETCD_HOSTS (comma-separated), else http://127.0.0.1:2379.
      service: { name: 'api', ttlSeconds: Number(process.env['TTL_SECONDS'] ?? 10) },
    }),
  ],
  controllers: [UserController],
})
export class AppModule {}
