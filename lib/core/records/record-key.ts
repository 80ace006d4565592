/** Keys in the registry: `<namespace><service>/<address>`, as Go's endpoints.Manager expects them. */

/** The prefix of all records of a service. The slash separates `api` from `api2`. */
export function servicePrefix(namespace: string, service: string): string {
  return `${namespace}${service}/`;
}

/**
 * The key of a service's gRPC service config in JSON. It is outside the service's prefix, where Go would read
 * it as an endpoint.
 */
export function serviceConfigKey(namespace: string, service: string): string {
  return `${serviceConfigPrefix(namespace)}${service}`;
}

/** The prefix of the service configs of all services. */
export function serviceConfigPrefix(namespace: string): string {
  return `${namespace}grpc.service_config/`;
}

/** The key of one record of a service. `suffix`: any text, by convention the address. */
export function recordKey(namespace: string, service: string, suffix: string): string {
  return servicePrefix(namespace, service) + suffix;
}

/**
 * The last part of a record's key, for one of several processes that serve the same address. Clients read the
 * address from the record, and use each address only once.
 */
export function workerKey(address: string, workerId: number): string {
  return `${address}#${workerId}`;
}
