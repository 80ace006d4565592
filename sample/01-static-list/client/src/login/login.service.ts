import { setTimeout as delay } from 'node:timers/promises';
import {
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { ClientGrpc } from '@nestjs/microservices';
import { InjectGrpcClient } from 'nestjs-grpc-discovery';
import { firstValueFrom, type Observable } from 'rxjs';

interface UserClient {
  login(request: {
    readonly name: string;
    readonly password: string;
  }): Observable<{ readonly message: string; readonly server: string }>;
}

/** Logs in again and again and prints which server answered, until the application ends. */
@Injectable()
export class LoginService implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  /** The pause between two calls, in milliseconds. */
  private readonly intervalMs = Number(process.env['INTERVAL_MS'] ?? 500);
  private readonly ending = new AbortController();
  private users: UserClient | undefined;
  private loop: Promise<void> | undefined;

  constructor(@InjectGrpcClient('api') private readonly api: ClientGrpc) {}

  onModuleInit(): void {
    this.users = this.api.getService<UserClient>('User');
  }

  onApplicationBootstrap(): void {
    this.loop = this.run(this.ending.signal);
  }

  /** Waits for the call under way, so that it is answered before the client is closed. */
  async onModuleDestroy(): Promise<void> {
    this.ending.abort();
    await this.loop;
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.login();
      await delay(this.intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async login(): Promise<void> {
    if (this.users === undefined) return;
    try {
      const request = { name: '张三', password: '111111' };
      const { server, message } = await firstValueFrom(this.users.login(request));
      console.log(`${server} answered: ${message}`);
    } catch (error) {
      console.log(`failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
