import { Controller } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';

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
  private readonly server = process.env['PORT'] ?? '9999';

  /** A sample: every name and password may log in. */
  @GrpcMethod('User', 'Login')
  login({ name }: UserRequest): UserResponse {
    return { message: `welcome ${name}, says ${this.server}`, server: this.server };
  }
}
