/**
 * The folders of each room from the bottom up: a file may import from its own folder and from those before
 * it. Files at the top of a room are its entrance, or what all of its folders share; the check of cycles
 * covers them.
 */
export const ORDER: Readonly<Record<string, readonly string[]>> = {
  core: ['values', 'records', 'lease', 'snapshot'],
  balance: ['load', 'policies', 'modifiers'],
  registry: ['directory'],
  etcd: ['connection', 'watch', 'lease'],
  grpc: [
    'grpc-js',
    'interceptors',
    'connection',
    'balancer',
    'service-config',
    'resolver',
    'server',
  ],
  nest: ['shutdown', 'snapshot', 'options', 'client', 'server'],
  testing: ['embedded-etcd'],
  'testing/embedded-etcd': ['wire', 'store', 'services'],
};
