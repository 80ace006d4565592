import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { DiscoveryModule } from 'nestjs-grpc-discovery';
import { LoginService } from './login.service.js';

export const protoPath = join(import.meta.dirname, '../user.proto');

@Module({
  imports: [
    // The options are made at start, so that a test can point the module at an etcd of its own.
    DiscoveryModule.forRootAsync({ useFactory: () => ({}) }),
    DiscoveryModule.forFeature([{ name: 'api', package: 'user', protoPath }]),
  ],
  providers: [LoginService],
})
export class AppModule {}
