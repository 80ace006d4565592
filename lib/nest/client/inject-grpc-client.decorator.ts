/** Injects discovered clients into Nest's providers. */
import { Inject } from '@nestjs/common';

/** The injection token of a client; for `overrideProvider` in tests and for `inject` arrays. */
export function getGrpcClientToken(name: string): string {
  return `GrpcDiscoveryClient(${name})`;
}

/** Injects the client defined under this name: Nest's `ClientGrpc`, balanced over all live servers. */
export function InjectGrpcClient(name: string): ParameterDecorator & PropertyDecorator {
  return Inject(getGrpcClientToken(name));
}
