import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, Transport } from '@nestjs/microservices';
import { DiscoveryModule } from 'nestjs-grpc-discovery';

@Controller()
class UserController {
  @GrpcMethod('User', 'Login')
  login({ name }: { name: string }) {
    return { message: `welcome ${name}`, server: String(process.pid) };
  }
}

@Module({
  imports: [DiscoveryModule.forRoot({ service: { name: 'api' } })],
  controllers: [UserController],
})
class AppModule {}

const options = { package: 'user', protoPath: 'user.proto', url: '0.0.0.0:0' };
const app = await NestFactory.createMicroservice(AppModule, { transport: Transport.GRPC, options });
app.enableShutdownHooks();
await app.listen(); // Resolves once the endpoint is in etcd.
