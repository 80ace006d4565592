/** The service config of one channel: what its client chose and, for the rest, what the service publishes. */
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

/** What a channel needs to combine the choices of its client with the config that the service publishes. */
export interface ChannelChoices extends OpenChoices, MethodKinds {
  /** The client's traits for the balancer; `undefined`: the service may decide nothing about balancing. */
  readonly balancing: ClientTraits | undefined;
  /** The balancing options that the client chose. Default: none. */
  readonly chosen?: LoadBalancingOptions;
  /** The methods of the client's proto, if known: names in the published config are compared with them. */
  readonly methods?: readonly CatalogedMethod[];
}

/**
 * The throttle of refused attempts. A deploy that stops many servers at once may cost 500 repetitions; if
 * servers always refuse, one call in ten is repeated.
 */
const REFUSALS: ThrottleOptions = { maxTokens: 1_000, tokenRatio: 0.1 };

/**
 * The service config that one channel uses. While balancing does not change, `loadBalancingConfig` stays the
 * same object: another object makes the balancer apply all its settings again.
 */
export class ChannelConfig {
  /** The service config in grpc-js's form, for the channel. */
  serviceConfig: ServiceConfig;
  /** The config selector, which gRPC asks about each call. */
  selector: ConfigSelector;
  /**
   * Published names that mean nothing to this client and were probably meant for it: its own services have no
   * such method, or the name resembles one of its services. `undefined`: there are none.
   */
  unknownNames: string | undefined;
  /** Whether a published config is in use. */
  isPublished = false;
  /** The balancing options that `own` was made of. */
  private readonly chosen: BalancingChoice;
  /** The throttle of all calls of the channel; it keeps its tokens when a new config is published. */
  private throttle: RetryThrottle | undefined;
  /**
   * The throttle of attempts that servers refused before anything ran; these are repeated whatever the
   * client's `retry` says.
   */
  private readonly refusals = new RetryThrottle(REFUSALS);
  /** The last choice that differed from the client's own, and the balancing config for it. */
  private last:
    | { readonly choice: BalancingChoice; readonly config: ServiceConfig['loadBalancingConfig'] }
    | undefined;

  /** @param own the client's choices and defaults; in use while the service publishes nothing */
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
   * Takes in the config that the service publishes.
   *
   * @param text gRPC's JSON; `undefined`: the service publishes nothing (any more)
   * @returns why the config is rejected: then the config in use stays in use; `undefined`: it is not rejected
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

  /** The throttling of retries. If the service may decide about retries, there is always a throttle. */
  private throttling(published: PublishedConfig | undefined): ServiceConfig['retryThrottling'] {
    const { retryThrottling } = this.own;
    if (!this.choices.retries) return retryThrottling;
    return published?.retryThrottling ?? retryThrottling ?? DEFAULT_THROTTLE;
  }

  /**
   * The balancing config: the same object as before unless something about balancing has changed, because
   * another object makes the balancer apply all settings again.
   */
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
