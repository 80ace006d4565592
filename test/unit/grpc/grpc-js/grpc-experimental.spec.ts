import { readFileSync } from 'node:fs';
import { credentials, experimental } from '@grpc/grpc-js';
import { Subchannel } from '@grpc/grpc-js/build/src/subchannel.js';
import { Http2SubchannelConnector } from '@grpc/grpc-js/build/src/transport.js';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { DiscoveryError } from '../../../../lib/core/discovery-error.js';
import {
  assertSupportedGrpc,
  breakOffHandshake,
  privateChannelOption,
  REQUIRED_EXPERIMENTAL,
  subchannelOptions,
} from '../../../../lib/grpc/grpc-js/grpc-experimental.js';

/** The names of `experimental` that its one user in the library reads at run time. */
function usedNames(): string[] {
  const path = new URL('../../../../lib/grpc/grpc-js/grpc-experimental.ts', import.meta.url)
    .pathname;
  const source = ts.createSourceFile(
    path,
    readFileSync(path, 'utf8'),
    ts.ScriptTarget.ES2023,
    true,
  );
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    // A name in a type is a qualified name, which is no property access.
    if (ts.isPropertyAccessExpression(node) && node.expression.getText() === 'experimental') {
      names.add(node.name.text);
    }
    if (ts.isVariableDeclaration(node) && node.initializer?.getText() === 'experimental') {
      if (!ts.isObjectBindingPattern(node.name)) throw new Error(`not read: ${node.getText()}`);
      for (const { propertyName, name } of node.name.elements) {
        names.add((propertyName ?? name).getText());
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...names].toSorted();
}

const used = usedNames();

describe('assertSupportedGrpc', () => {
  it('requires exactly the names of experimental that the library uses', () => {
    expect(used.length).toBeGreaterThan(5);
    expect([...REQUIRED_EXPERIMENTAL].toSorted()).toEqual(used);
  });

  it('accepts the loaded grpc-js', () => {
    expect(() => assertSupportedGrpc()).not.toThrow();
  });

  it.each(used)(
    'refuses a grpc-js without %s, with an error that has the missing name and the allowed version',
    (name) => {
      const check = (): void => assertSupportedGrpc({ ...experimental, [name]: undefined });
      expect(check).toThrow(DiscoveryError);
      expect(check).toThrow(
        `[UNSUPPORTED_VERSION] the @grpc/grpc-js that is loaded has no experimental ${name}; allowed: ~1.14.0`,
      );
    },
  );

  it('names all missing names in one error', () => {
    expect(() => assertSupportedGrpc({})).toThrow(/registerResolver, statusOrFromValue, /);
  });
});

describe('private channel options', () => {
  it('are left out of the options of a connection', () => {
    const name = privateChannelOption('pool');
    expect(subchannelOptions({ [name]: {}, 'grpc.keepalive_time_ms': 1 })).toEqual({
      'grpc.keepalive_time_ms': 1,
    });
  });

  it('have the prefix of options that grpc-js leaves out of the identity of a connection', () => {
    const prefix = experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX;
    expect(privateChannelOption('pool').startsWith(prefix)).toBe(true);
    expect(privateChannelOption('a')).not.toBe(privateChannelOption('b'));
  });
});

describe('breakOffHandshake', () => {
  it('finds the session of a handshake where the grpc-js that is loaded keeps it', () => {
    const connector = new Http2SubchannelConnector({ path: 'api' });
    const address = { host: '127.0.0.1', port: 1 };
    const options = { 'grpc.enable_channelz': 0 };
    const subchannel = new Subchannel(
      { path: 'api' },
      address,
      options,
      credentials.createInsecure(),
      connector,
    );
    expect(Reflect.get(connector, 'session')).toBeNull();
    expect(breakOffHandshake(subchannel)).toBe(false);
    let isDestroyed = false;
    Reflect.set(connector, 'session', { destroy: () => (isDestroyed = true) });
    expect(breakOffHandshake(subchannel)).toBe(true);
    expect(isDestroyed).toBe(true);
  });
});
