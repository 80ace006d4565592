import { Controller } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { ServiceRegistrar } from 'nestjs-grpc-discovery';

interface UserRequest {
  readonly name: string;
  readonly password: string;
}

interface UserResponse {
  readonly message: string;
  readonly server: string;
}

@Controller()
export class UserController {
  private address: string | undefined;

  constructor(private readonly registrar: ServiceRegistrar) {}

  /** A sample: every name and password may log in. */
  @GrpcMethod('User', 'Login')
  login({ name }: UserRequest): UserResponse {
    const server = this.server();
    return { message: `welcome ${name}, says ${server}`, server };
  }

  /**
   * The address in the record, which is remembered here: calls are still answered after the record was
   * removed.
   */
  private server(): string {
    this.address ??= this.registrar.status.registrations[0]?.address;
    return this.address ?? 'a server that is not registered';
  }
}
