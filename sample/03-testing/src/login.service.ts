import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { ClientGrpc } from '@nestjs/microservices';
import { InjectGrpcClient } from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';

interface UserClient {
  login(request: { readonly name: string }): Observable<{ readonly message: string }>;
}

/** The class under test: it calls a service that it finds by name. */
@Injectable()
export class LoginService implements OnModuleInit {
  private users: UserClient | undefined;

  constructor(@InjectGrpcClient('api') private readonly api: ClientGrpc) {}

  onModuleInit(): void {
    this.users = this.api.getService<UserClient>('User');
  }

  async greet(name: string): Promise<string> {
    if (this.users === undefined) throw new Error('not initialised');
    const { message } = await firstValueFrom(this.users.login({ name }));
    return message.toUpperCase();
  }
}
