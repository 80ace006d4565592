/** One channel's service config: what its client chose, and for the rest what the service publishes, as it changes. */
import type { ServiceConfig } from '@grpc/grpc-js';
import { fillBalancing } from './balancing-choice.js';
import { createCallConfigSelector, type OpenChoices } from './call-config.js';
import type { ConfigSelector } from './grpc-experimental.js';
import {
  type ClientTraits,
  createBalancerSettings,
  type LoadBalancingOptions,
} from './policies.js';
import { createServiceConfig } from './service-config.js';
import { parseServiceConfig, type PublishedConfig } from './service-config-json.js';

/** What a channel needs to combine the two. */
export interface ChannelChoices extends OpenChoices {
  /** What the balancer is to know; `undefined` where the service has no say in it at all. */
  readonly balancing: ClientTraits | undefined;
  /** What the client says about balancing itself. Default: nothing. */
  readonly chosen?: LoadBalancingOptions;
  /** Paths of methods with a stream on either side. */
  readonly streams: ReadonlySet<string>;
}

/** The config of one channel. Its parts are the same objects until something changes. */
export class ChannelConfig {
  /** In grpc-js's form, for the channel. */
  serviceConfig: ServiceConfig;
  /** For each call. */
  selector: ConfigSelector;

  /** @param own what the client chose, or would like if the service has no wishes */
  constructor(
    private readonly own: ServiceConfig,
    private readonly choices: ChannelChoices,
  ) {
    this.serviceConfig = own;
    this.selector = this.selectorFor(undefined);
  }

  /**
   * Takes in what the service publishes.
   *
   * @param text gRPC's JSON; `undefined`: nothing, or no longer anything
   * @returns why it is not used; what was used before stays in use
   */
  follow(text: string | undefined): string | undefined {
    const parsed = text === undefined ? undefined : parseServiceConfig(text);
    if (parsed?.ok === false) return parsed.reason;
    const { own } = this;
    this.selector = this.selectorFor(parsed?.config);
    this.serviceConfig = parsed === undefined ? own : this.combine(parsed.config);
    return undefined;
  }

  private selectorFor(published: PublishedConfig | undefined): ConfigSelector {
    const { own, choices } = this;
    return createCallConfigSelector(own.methodConfig, published, choices, choices.streams);
  }

  private combine(published: PublishedConfig): ServiceConfig {
    const { own, choices } = this;
    const throttling =
      (choices.retries ? published.retryThrottling : undefined) ?? own.retryThrottling;
    return {
      loadBalancingConfig: this.balance(published),
      methodConfig: own.methodConfig,
      ...(throttling === undefined ? {} : { retryThrottling: throttling }),
    };
  }

  private balance(published: PublishedConfig): ServiceConfig['loadBalancingConfig'] {
    const { balancing, chosen = {} } = this.choices;
    const asks = (published.policy ?? published.healthService) !== undefined;
    if (balancing === undefined || !asks) return this.own.loadBalancingConfig;
    const { options, subsetSize } = fillBalancing(
      { options: chosen, subsetSize: balancing.subsetSize },
      published,
    );
    return createServiceConfig(createBalancerSettings(options, { ...balancing, subsetSize }))
      .loadBalancingConfig;
  }
}
