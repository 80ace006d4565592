/**
 * What a proto says about its methods: their paths, which sides are streams, and whether they are idempotent.
 */

/** One method of a loaded proto. */
export interface CatalogedMethod {
  /** Full name of the service, e.g. `user.User`. */
  readonly service: string;
  readonly method: string;
  /** The method's name in JavaScript, for Nest and grpc-js: `findOne` for `FindOne`. */
  readonly callName: string;
  /** The request, the response or both are streams. */
  readonly isStreaming: boolean;
  /** The method is declared with `option idempotency_level = NO_SIDE_EFFECTS` or `IDEMPOTENT`. */
  readonly isIdempotent: boolean;
}

interface LoadedMethod {
  readonly path: string;
  readonly originalName?: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly options?: { readonly idempotency_level?: string };
}

/**
 * All methods in the packages that grpc-js's `loadPackageDefinition` makes: nested objects whose leaves are
 * message types and client constructors. A client constructor has a field `service`.
 */
export function catalogMethods(packages: readonly unknown[]): CatalogedMethod[] {
  const methods = new Map<string, CatalogedMethod>();
  const visited = new Set<unknown>();
  const visit = (node: unknown): void => {
    if (node === null || (typeof node !== 'object' && typeof node !== 'function')) return;
    if (visited.has(node)) return;
    visited.add(node);
    const { service } = node as { service?: Readonly<Record<string, LoadedMethod>> };
    if (typeof node === 'function' && service !== undefined) {
      for (const definition of Object.values(service)) {
        methods.set(definition.path, toMethod(definition));
      }
    } else if (typeof node === 'object') {
      // An object with `format` is a message type: it contains no packages.
      if (!('format' in node)) Object.values(node).forEach(visit);
    }
  };
  packages.forEach(visit);
  return [...methods.values()];
}

/** The paths of methods, by kind: unary or streaming. */
export function methodKinds(methods: readonly CatalogedMethod[]) {
  const paths = (isStreaming: boolean) =>
    new Set(methods.filter((method) => method.isStreaming === isStreaming).map(methodPath));
  return { unaries: paths(false), streams: paths(true) };
}

/**
 * The names of all packages in a loaded proto that have services; the empty text for services without a
 * package.
 */
export function packageNames(root: unknown, name = ''): string[] {
  if (typeof root !== 'object' || root === null || 'format' in root) return [];
  const members = Object.entries(root) as [string, unknown][];
  const hasService = members.some(([, one]) => typeof one === 'function' && 'service' in one);
  const inner = members.flatMap(([key, one]) =>
    packageNames(one, name === '' ? key : `${name}.${key}`),
  );
  return hasService ? [name, ...inner] : inner;
}

/** The path of a method in a request: `/package.Service/Method`. */
export function methodPath({ service, method }: CatalogedMethod): string {
  return `/${service}/${method}`;
}

function toMethod(definition: LoadedMethod): CatalogedMethod {
  const [, service = '', method = ''] = definition.path.split('/');
  const level = definition.options?.idempotency_level;
  return {
    service,
    method,
    callName: definition.originalName ?? method.charAt(0).toLowerCase() + method.slice(1),
    isStreaming: definition.requestStream || definition.responseStream,
    isIdempotent: level === 'NO_SIDE_EFFECTS' || level === 'IDEMPOTENT',
  };
}
