import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ClientGrpc } from '@nestjs/microservices';
import { DiscoveryModule, InjectGrpcClient } from 'nestjs-grpc-discovery';

@Controller()
class LoginController {
  constructor(@InjectGrpcClient('api') private readonly api: ClientGrpc) {}
  @Get('login')
  login() {
    return this.api.getService<{ login(request: object): object }>('User').login({ name: '张三' });
  }
}

const clients = [{ name: 'api', package: 'user', protoPath: 'user.proto' }];
@Module({ imports: [DiscoveryModule.forRoot({ clients })], controllers: [LoginController] })
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(3000);
