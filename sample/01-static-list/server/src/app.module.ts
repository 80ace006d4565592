import { Module } from '@nestjs/common';
import { UserController } from './user/user.controller.js';

/** A plain Nest gRPC server: with a hard-coded list it is the clients that know where it is. */
@Module({ controllers: [UserController] })
export class AppModule {}
