import { Module } from '@nestjs/common';
import { UserController } from './user/user.controller.js';

/** A plain Nest gRPC server without discovery: its clients have its address in a hard-coded list. */
@Module({ controllers: [UserController] })
export class AppModule {}
