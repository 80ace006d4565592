/** Where records stand in the registry: `<namespace><service>/<address>`, as Go's endpoints.Manager expects them. */

/** The prefix under which all records of a service stand. The slash keeps `api` and `api2` apart. */
export function servicePrefix(namespace: string, service: string): string {
  return `${namespace}${service}/`;
}

/**
 * The key of what a service asks of its clients: a gRPC service config in JSON. Outside the service's own prefix, where Go
 * would take it for an endpoint.
 */
export function serviceConfigKey(namespace: string, service: string): string {
  return `${serviceConfigPrefix(namespace)}${service}`;
}

/** The prefix under which all of those stand. */
export function serviceConfigPrefix(namespace: string): string {
  return `${namespace}grpc.service_config/`;
}

/** The key of one record. The part behind the service is free text, by convention the address. */
export function recordKey(namespace: string, service: string, suffix: string): string {
  return servicePrefix(namespace, service) + suffix;
}

/**
 * The part of a record's key behind the service for one of several processes that serve the same address. Clients read the address from
 * the record, and count it once.
 */
export function workerKey(address: string, workerId: number): string {
  return `${address}#${workerId}`;
}
