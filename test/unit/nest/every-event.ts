/** The events of registration and discovery, as the logger and the documents meet them. */
import { DiscoveryError } from '../../../lib/core/discovery-error.js';
import type { DiscoveryEvent } from '../../../lib/core/discovery-event.js';

const error = new DiscoveryError('REGISTRY_UNAVAILABLE', 'etcd list failed: no connection');

/** One event of each type; a type that is missing here is an error of the compiler. */
export const EVENTS: {
  readonly [Type in DiscoveryEvent['type']]: Extract<DiscoveryEvent, { type: Type }>;
} = {
  'lease-granted': { type: 'lease-granted', leaseId: '7587', ttlMs: 10_000 },
  'lease-lost': { type: 'lease-lost', leaseId: '7587' },
  registered: { type: 'registered', key: 'api/h:1', leaseId: '7587' },
  'record-taken-over': { type: 'record-taken-over', key: 'api/h:1', previousValue: 'old' },
  'record-restored': { type: 'record-restored', key: 'api/h:1' },
  conflict: { type: 'conflict', key: 'api/h:1', foreignValue: 'theirs' },
  'lease-unreachable': { type: 'lease-unreachable', error, retryInMs: 123.4 },
  'lease-left': { type: 'lease-left', leaseId: '7587', ttlMs: 10_000, error },
  'record-refused': { type: 'record-refused', key: 'api/h:1', error, retryInMs: 123.4 },
  'lease-expired': { type: 'lease-expired', leaseId: '7587' },
  'lease-recovered': { type: 'lease-recovered', leaseId: '7587' },
  deregistered: { type: 'deregistered', key: 'api/h:1' },
  'watch-synced': { type: 'watch-synced', prefix: 'api/', revision: '41' },
  'watch-interrupted': { type: 'watch-interrupted', prefix: 'api/', error, retryInMs: 99.6 },
  'registry-reset': { type: 'registry-reset', prefix: 'api/' },
  'record-ignored': {
    type: 'record-ignored',
    prefix: 'api/',
    kind: 'no-dialable-address',
    count: 3,
    key: 'api/x',
    reason: 'Addr "127.0.0.1" has no port',
  },
  'auth-unused': { type: 'auth-unused' },
  'members-changed': {
    type: 'members-changed',
    members: ['https://a:2379', 'https://b:2379'],
    ignored: ['http://c:2379'],
  },
  'members-unknown': { type: 'members-unknown', error },
  'endpoints-changed': {
    type: 'endpoints-changed',
    service: 'api',
    added: ['h:1', 'h:2'],
    removed: ['h:3'],
    total: 5,
  },
  'service-config-ignored': {
    type: 'service-config-ignored',
    service: 'api',
    reason: 'it is not JSON',
  },
  'service-config-names-unknown': {
    type: 'service-config-names-unknown',
    service: 'api',
    names: 'method "user.User/find" (did you mean Find?)',
  },
  'removals-held': {
    type: 'removals-held',
    service: 'api',
    addresses: ['h:1', 'h:2', 'h:3', 'h:4', 'h:5', 'h:6', 'h:7'],
    reason: 'many-at-once',
  },
  'removals-released': {
    type: 'removals-released',
    service: 'api',
    addresses: ['h:1'],
    reason: 'expired',
  },
  'snapshot-used': { type: 'snapshot-used', service: 'api', total: 3, savedAt: 0 },
  'snapshot-failed': { type: 'snapshot-failed', file: '/s.json', reason: 'it is ignored (x)' },
};
