/**
 * A resolver for bare grpc-js, without this library: it hands each list to its channel at once, and so costs
 * nothing itself.
 */
import { experimental } from '@grpc/grpc-js';

const listeners = new Set<experimental.ResolverListener>();
let current: readonly string[] = [];

class BareResolver implements experimental.Resolver {
  constructor(
    _target: experimental.GrpcUri,
    private readonly listener: experimental.ResolverListener,
  ) {}

  updateResolution(): void {
    if (listeners.has(this.listener)) return;
    listeners.add(this.listener);
    queueMicrotask(() => report(this.listener));
  }

  destroy(): void {
    listeners.delete(this.listener);
  }

  static getDefaultAuthority(): string {
    return 'bench';
  }
}

experimental.registerResolver('bench', BareResolver);

/** Changes the list of every channel to `bench:///x`. */
export function setBareList(addresses: readonly string[]): void {
  current = addresses;
  for (const listener of listeners) report(listener);
}

function report(listener: experimental.ResolverListener): void {
  const endpoints = current.map((address) => {
    const [host = '', port = ''] = address.split(':');
    return { addresses: [{ host, port: Number(port) }] };
  });
  listener(experimental.statusOrFromValue(endpoints), {}, null, '');
}
