/** The `User` service as the test servers implement it: every answer names the server. */
import { Controller, Inject, type OnApplicationShutdown } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import {
  concat,
  delay,
  interval,
  map,
  NEVER,
  type Observable,
  of,
  Subject,
  takeUntil,
  timer,
} from 'rxjs';

export interface UserRequest {
  readonly name: string;
  readonly password: string;
  /** How long the answer takes, or the stream stays open, in milliseconds; 0 or none: the server's delay. */
  readonly holdMs?: number;
}

export interface UserResponse {
  readonly message: string;
  readonly server: string;
}

/** Injection token of the {@link UserControllerOptions}. */
export const USER_CONTROLLER_OPTIONS = Symbol('USER_CONTROLLER_OPTIONS');

export interface UserControllerOptions {
  /** The name of the server in its answers. */
  readonly id: string;
  /** How long an answer takes, in milliseconds. */
  readonly delayMs: number;
  /** How often an open stream sends another message, in milliseconds. Default: never. */
  readonly streamEveryMs?: number;
  /** Is called for every incoming call. */
  readonly onCall?: (request: UserRequest) => void;
}

@Controller()
export class UserController implements OnApplicationShutdown {
  private readonly stopping$ = new Subject<void>();

  constructor(@Inject(USER_CONTROLLER_OPTIONS) private readonly options: UserControllerOptions) {}

  @GrpcMethod('User', 'Login')
  login(request: UserRequest): Observable<UserResponse> {
    this.options.onCall?.(request);
    const delayMs = this.holdMs(request);
    const answer$ = of(this.answer(request));
    return delayMs > 0 ? answer$.pipe(delay(delayMs)) : answer$;
  }

  /** Answers as `Login` does. The proto declares `Find` idempotent, and `Login` not. */
  @GrpcMethod('User', 'Find')
  find(request: UserRequest): Observable<UserResponse> {
    return this.login(request);
  }

  /**
   * Answers once, then keeps the stream open for `holdMs`, but no longer than client and application live.
   */
  @GrpcMethod('User', 'Watch')
  watch(request: UserRequest): Observable<UserResponse> {
    const { streamEveryMs, onCall } = this.options;
    onCall?.(request);
    const holdMs = request.holdMs ?? 0;
    const more$ =
      streamEveryMs === undefined
        ? NEVER
        : interval(streamEveryMs).pipe(map(() => this.answer(request)));
    const over$ = holdMs > 0 ? timer(holdMs) : NEVER;
    return concat(of(this.answer(request)), more$.pipe(takeUntil(over$))).pipe(
      takeUntil(this.stopping$),
    );
  }

  onApplicationShutdown(): void {
    this.stopping$.next();
  }

  private holdMs({ holdMs = 0 }: UserRequest): number {
    return holdMs > 0 ? holdMs : this.options.delayMs;
  }

  private answer(request: UserRequest): UserResponse {
    const { id } = this.options;
    return { message: `${id}: welcome ${request.name}`, server: id };
  }
}
