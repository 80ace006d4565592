import {
  Body,
  Controller,
  Get,
  HttpCode,
  type OnModuleInit,
  Post,
  Query,
  UseFilters,
} from '@nestjs/common';
import type { ClientGrpc } from '@nestjs/microservices';
import { InjectGrpcClient } from 'nestjs-grpc-discovery';
import type { Observable } from 'rxjs';
import { GrpcErrorFilter } from './grpc-error.filter.js';

interface UserRequest {
  readonly name?: string;
  readonly password?: string;
}

interface UserResponse {
  readonly message: string;
  readonly server: string;
}

interface UserClient {
  login(request: UserRequest): Observable<UserResponse>;
}

/** `GET /login?name=…&password=…` and `POST /login` with the same as JSON. */
@Controller('login')
@UseFilters(GrpcErrorFilter)
export class LoginController implements OnModuleInit {
  private users: UserClient | undefined;

  constructor(@InjectGrpcClient('api') private readonly api: ClientGrpc) {}

  onModuleInit(): void {
    this.users = this.api.getService<UserClient>('User');
  }

  @Get()
  fromQuery(@Query() query: UserRequest): Observable<UserResponse> | undefined {
    return this.login(query);
  }

  @Post()
  @HttpCode(200)
  fromBody(@Body() body: UserRequest | undefined): Observable<UserResponse> | undefined {
    return this.login(body ?? {});
  }

  private login({ name = '张三', password = '' }: UserRequest) {
    return this.users?.login({ name: String(name), password: String(password) });
  }
}
