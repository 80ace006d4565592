/** Shows how a child app's process runs, for the tests of `child-app.ts`. It is no Nest application. */
import 'reflect-metadata';
import { Injectable } from '@nestjs/common';
import { emit, endWithTestProcess, setting } from './app-events.js';

class Dependency {}

@Injectable()
class Dependant {
  constructor(readonly dependency: Dependency) {}
}

const mode = setting('PROBE_MODE', 'end');
if (mode === 'serve') {
  const timer = setInterval(() => {}, 1_000);
  process.once('SIGTERM', () => {
    clearInterval(timer);
    emit('ended');
    process.exitCode = 7;
  });
}
endWithTestProcess();
emit('probe', {
  parameterTypes: (Reflect.getMetadata('design:paramtypes', Dependant) as { name: string }[]).map(
    (type) => type.name,
  ),
  library: import.meta.resolve('nestjs-grpc-discovery'),
  entry: import.meta.url,
  proto: setting('USER_PROTO'),
});

if (mode === 'throw') throw new Error('as the test wanted it');
