/** The types that a policy or options of one's own are written with. Checked by the compiler. */
import type {
  Candidate,
  CanaryOptions,
  EndpointLoad,
  EndpointMatch,
  FleetLoad,
  LoadBalancingOptions,
  LocalityOptions,
  OutlierOptions,
  PickerContext,
  RoutingOptions,
  SlowStartOptions,
} from 'nestjs-grpc-discovery';
import { expectTypeOf, it } from 'vitest';

it('the types of what a policy gets are exported by name', () => {
  expectTypeOf<Candidate['load']>().toEqualTypeOf<EndpointLoad>();
  expectTypeOf<PickerContext['fleet']>().toEqualTypeOf<FleetLoad>();
});

it('the options of each modifier have an exported type', () => {
  expectTypeOf<LocalityOptions>().toExtend<LoadBalancingOptions['locality']>();
  expectTypeOf<OutlierOptions>().toExtend<LoadBalancingOptions['outlierDetection']>();
  expectTypeOf<RoutingOptions>().toExtend<LoadBalancingOptions['routing']>();
  expectTypeOf<CanaryOptions>().toExtend<RoutingOptions['canary']>();
  expectTypeOf<EndpointMatch>().toExtend<RoutingOptions['match']>();
  expectTypeOf<SlowStartOptions>().toExtend<LoadBalancingOptions['slowStart']>();
});
