/** The `User` service as the test servers implement it: every answer names the server. */
import { Controller, Inject, type OnApplicationShutdown } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { concat, delay, type Observable, of, Subject, takeUntil } from 'rxjs';

export interface UserRequest {
  readonly name: string;
  readonly password: string;
}

export interface UserResponse {
  readonly message: string;
  readonly server: string;
}

/** Injection token of the {@link UserControllerOptions}. */
export const USER_CONTROLLER_OPTIONS = Symbol('USER_CONTROLLER_OPTIONS');

export interface UserControllerOptions {
  /** What the server calls itself in its answers. */
  readonly id: string;
  /** How long an answer takes, in milliseconds. */
  readonly delayMs: number;
}

@Controller()
export class UserController implements OnApplicationShutdown {
  private readonly stopping$ = new Subject<void>();

  constructor(@Inject(USER_CONTROLLER_OPTIONS) private readonly options: UserControllerOptions) {}

  @GrpcMethod('User', 'Login')
  login(request: UserRequest): Observable<UserResponse> {
    const { delayMs } = this.options;
    const answer$ = of(this.answer(request));
    return delayMs > 0 ? answer$.pipe(delay(delayMs)) : answer$;
  }

  /** Answers once and then keeps the stream open until the client leaves or the application ends. */
  @GrpcMethod('User', 'Watch')
  watch(request: UserRequest): Observable<UserResponse> {
    return concat(of(this.answer(request)), new Subject<never>()).pipe(takeUntil(this.stopping$));
  }

  onApplicationShutdown(): void {
    this.stopping$.next();
  }

  private answer(request: UserRequest): UserResponse {
    const { id } = this.options;
    return { message: `${id}: welcome ${request.name}`, server: id };
  }
}
