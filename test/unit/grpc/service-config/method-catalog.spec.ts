import { describe, expect, it } from 'vitest';
import {
  catalogMethods,
  methodKinds,
  methodPath,
  packageNames,
} from '../../../../lib/grpc/service-config/method-catalog.js';

interface MethodShape {
  readonly originalName?: string;
  readonly requestStream?: boolean;
  readonly responseStream?: boolean;
  readonly level?: string;
}

/** Makes a client constructor like those of `loadPackageDefinition`. */
function serviceOf(name: string, methods: Record<string, MethodShape>): () => void {
  const service = Object.fromEntries(
    Object.entries(methods).map(([method, { level, ...shape }]) => [
      method,
      {
        path: `/${name}/${method}`,
        requestStream: false,
        responseStream: false,
        ...(level === undefined ? {} : { options: { idempotency_level: level } }),
        ...shape,
      },
    ]),
  );
  return Object.assign(() => {}, { service });
}

const MESSAGE = { format: 'Protocol Buffer 3 DescriptorProto', type: { nested: {} } };
const USER = serviceOf('user.User', {
  Find: { originalName: 'find', level: 'NO_SIDE_EFFECTS' },
  Put: { level: 'IDEMPOTENT' },
  Add: { level: 'IDEMPOTENCY_UNKNOWN' },
  Watch: { responseStream: true },
  Upload: { requestStream: true },
});
const CHECK = serviceOf('user.admin.Check', { Run: {} });
const ROOT = { user: { User: USER, Message: MESSAGE, admin: { Check: CHECK } }, empty: {} };

describe('catalogMethods', () => {
  const methods = catalogMethods([ROOT]);

  it('finds the methods of all services, however deep their packages are nested', () => {
    expect(methods.map(methodPath)).toEqual([
      '/user.User/Find',
      '/user.User/Put',
      '/user.User/Add',
      '/user.User/Watch',
      '/user.User/Upload',
      '/user.admin.Check/Run',
    ]);
  });

  it('says which methods are idempotent, and which are streams', () => {
    const idempotent = methods.filter(({ isIdempotent }) => isIdempotent);
    expect(idempotent.map(({ method }) => method)).toEqual(['Find', 'Put']);
    const { unaries, streams } = methodKinds(methods);
    expect([...streams]).toEqual(['/user.User/Watch', '/user.User/Upload']);
    expect(unaries).toHaveLength(4);
    expect(unaries.has('/user.admin.Check/Run')).toBe(true);
  });

  it('gives each method its name in JavaScript', () => {
    expect(methods.map(({ callName }) => callName).slice(0, 3)).toEqual(['find', 'put', 'add']);
  });

  it('lists each method once, even if packages contain themselves', () => {
    const loop: Record<string, unknown> = { ...ROOT };
    loop['self'] = loop;
    expect(catalogMethods([loop, ROOT, null, 'text', () => {}])).toHaveLength(6);
  });
});

describe('packageNames', () => {
  it('returns the packages that have services, outer packages first', () => {
    expect(packageNames(ROOT)).toEqual(['user', 'user.admin']);
    expect(packageNames({ User: USER })).toEqual(['']);
    expect(packageNames({ Message: MESSAGE })).toEqual([]);
    expect(packageNames(undefined)).toEqual([]);
  });
});
