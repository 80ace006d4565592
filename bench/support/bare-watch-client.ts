/**
 * A process that watches the records of a service and ignores them: it shows what receiving alone costs. It
 * prints every two seconds how busy it is (`busy-ticks.ts`). Arguments: the host of etcd, the service.
 */
import { Etcd3 } from 'etcd3';
import { tellBusyTicks } from './busy-ticks.js';

const [, , host = '', service = ''] = process.argv;

const stream = await new Etcd3({ hosts: host }).watchClient.watch();
stream.on('data', () => {});
stream.write({
  create_request: { key: Buffer.from(`${service}/`), range_end: Buffer.from(`${service}0`) },
});
await tellBusyTicks();
