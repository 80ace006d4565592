/** One channel's service config: what its client chose, and for the rest what the service publishes, as it changes. */
import type { ServiceConfig } from '@grpc/grpc-js';
import {
  DEFAULT_THROTTLE,
  RetryThrottle,
  type ThrottleOptions,
} from '../../balance/load/retry-throttle.js';
import { type BalancingChoice, fillBalancing } from './balancing-choice.js';
import { createCallConfigSelector, type MethodKinds, type OpenChoices } from './call-config.js';
import type { ConfigSelector } from '../grpc-js/grpc-experimental.js';
import { present } from './json-reader.js';
import type { CatalogedMethod } from './method-catalog.js';
import { unknownConfigNames } from './method-names.js';
import {
  type ClientTraits,
  createBalancerSettings,
  type LoadBalancingOptions,
} from '../balancer/policies.js';
import { sameValue } from './same-value.js';
import { createServiceConfig } from './service-config.js';
import { parseServiceConfig, type PublishedConfig } from './service-config-json.js';

/** What a channel needs to combine the two. */
export interface ChannelChoices extends OpenChoices, MethodKinds {
  /** What the balancer is to know; `undefined` where the service has no say in it at all. */
  readonly balancing: ClientTraits | undefined;
  /** What the client says about balancing itself. Default: nothing. */
  readonly chosen?: LoadBalancingOptions;
  /** The methods of the client's proto, where they are known: published names are compared with them. */
  readonly methods?: readonly CatalogedMethod[];
}

/** A deploy that stops many servers at once may cost 500 repetitions; where servers always refuse, one call in ten is repeated. */
const REFUSALS: ThrottleOptions = { maxTokens: 1_000, tokenRatio: 0.1 };

/** The config of one channel. Its parts are the same objects until something changes. */
export class ChannelConfig {
  /** In grpc-js's form, for the channel. */
  serviceConfig: ServiceConfig;
  /** For each call. */
  selector: ConfigSelector;
  /** Names in what the service publishes that mean nothing to this client; `undefined`: none. */
  unknownNames: string | undefined;
  /** Whether a published config is in use. */
  isPublished = false;
  /** What `own` balances by. */
  private readonly chosen: BalancingChoice;
  /** Counts for all calls of the channel, whatever is published meanwhile. */
  private throttle: RetryThrottle | undefined;
  /** For what servers refuse before anything has run, which is sent again whatever the client says of retries. */
  private readonly refusals = new RetryThrottle(REFUSALS);
  /** What the service last asked for, and the client did not choose anyway. */
  private last:
    | { readonly choice: BalancingChoice; readonly config: ServiceConfig['loadBalancingConfig'] }
    | undefined;

  /** @param own what the client chose, or would like if the service has no wishes */
  constructor(
    private readonly own: ServiceConfig,
    private readonly choices: ChannelChoices,
  ) {
    this.serviceConfig = own;
    const subsetSize = choices.balancing?.subsetSize;
    this.chosen = { options: present(choices.chosen ?? {}), subsetSize };
    this.selector = this.selectorFor(undefined);
  }

  /**
   * Takes in what the service publishes.
   *
   * @param text gRPC's JSON; `undefined`: nothing, or no longer anything
   * @returns why it is not used; what was used before stays in use: a published config, or the client's own alone
   */
  follow(text: string | undefined): string | undefined {
    const parsed = text === undefined ? undefined : parseServiceConfig(text);
    if (parsed?.ok === false) return parsed.reason;
    const { own, choices } = this;
    this.isPublished = parsed !== undefined;
    this.unknownNames =
      parsed === undefined || choices.methods === undefined
        ? undefined
        : unknownConfigNames(parsed.config.methodConfig, choices.methods);
    this.selector = this.selectorFor(parsed?.config);
    this.serviceConfig = parsed === undefined ? own : this.combine(parsed.config);
    return undefined;
  }

  private selectorFor(published: PublishedConfig | undefined): ConfigSelector {
    const { own, choices } = this;
    const throttling = this.throttling(published);
    if (throttling === undefined) this.throttle = undefined;
    else if (this.throttle === undefined) this.throttle = new RetryThrottle(throttling);
    else this.throttle.configure(throttling);
    const { throttle, refusals } = this;
    const rules = { throttle, refusals };
    return createCallConfigSelector(own.methodConfig, published, choices, choices, rules);
  }

  private combine(published: PublishedConfig): ServiceConfig {
    const throttling = this.throttling(published);
    return {
      loadBalancingConfig: this.balance(published),
      methodConfig: this.own.methodConfig,
      ...(throttling === undefined ? {} : { retryThrottling: throttling }),
    };
  }

  /** Where the service may have calls retried, it never does so without a bound. */
  private throttling(published: PublishedConfig | undefined): ServiceConfig['retryThrottling'] {
    const { retryThrottling } = this.own;
    if (!this.choices.retries) return retryThrottling;
    return published?.retryThrottling ?? retryThrottling ?? DEFAULT_THROTTLE;
  }

  /** The very object as before, unless something about balancing has changed: a balancer begins anew with another. */
  private balance(published: PublishedConfig): ServiceConfig['loadBalancingConfig'] {
    const { balancing } = this.choices;
    if (balancing === undefined) return this.own.loadBalancingConfig;
    const choice = fillBalancing(this.chosen, published);
    if (sameValue(choice, this.chosen)) return this.own.loadBalancingConfig;
    if (this.last === undefined || !sameValue(choice, this.last.choice)) {
      const { options, subsetSize } = choice;
      const settings = createBalancerSettings(options, { ...balancing, subsetSize });
      this.last = { choice, config: createServiceConfig(settings).loadBalancingConfig };
    }
    return this.last.config;
  }
}
