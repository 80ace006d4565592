/** Child apps and their events: what a test may rely on when it starts a process of its own. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compileApps, startApp, userProtoPath } from '../../support/child-app.js';
import { EventProcess, stopEventProcesses } from '../../support/event-process.js';

beforeAll(async () => {
  await compileApps();
});

afterEach(stopEventProcesses);

const NATIVE = { isBundled: false };

describe('startApp', () => {
  it('runs an app, compiled with decorator metadata, against the compiled library', async () => {
    const app = await startApp('probe', {}, NATIVE);
    const probe = await app.waitForEvent('probe');
    const folder = await compileApps();
    expect(probe).toMatchObject({
      parameterTypes: ['Dependency'],
      proto: userProtoPath,
    });
    expect(fileURLToPath(String(probe['library']))).toBe(join(folder, 'lib/index.js'));
    expect(dirname(fileURLToPath(String(probe['entry'])))).toBe(join(folder, 'test/support/apps'));
    expect(existsSync(userProtoPath)).toBe(true);
    expect(await app.exit).toEqual({ code: 0, signal: null });
  });

  it('reports the exit code of an app that handles a signal and then exits by itself', async () => {
    const app = await startApp('probe', { PROBE_MODE: 'serve' }, NATIVE);
    await app.waitForEvent('probe');
    app.kill('SIGTERM');
    expect(await app.exit).toEqual({ code: 7, signal: null });
    expect(app.events.map(({ event }) => event)).toEqual(['probe', 'ended']);
  });

  it('starts apps that end when the test process is gone', async () => {
    const app = await startApp('probe', { PROBE_MODE: 'serve' }, NATIVE);
    await app.waitForEvent('probe');
    app.closeInput();
    expect(await app.exit).toEqual({ code: 7, signal: null });
  });

  it('reports the signal that has killed an app', async () => {
    const app = await startApp('probe', { PROBE_MODE: 'serve' }, NATIVE);
    await app.waitForEvent('probe');
    app.kill('SIGKILL');
    expect(await app.exit).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('runs apps whose errors name the TypeScript line on stderr', async () => {
    const app = await startApp('probe', { PROBE_MODE: 'throw' }, NATIVE);
    expect(await app.exit).toEqual({ code: 1, signal: null });
    expect(app.stderr).toMatch(/as the test wanted it[^]*probe\.ts:\d+/);
  });
});

const script = (code: string): EventProcess =>
  new EventProcess(process.execPath, ['--input-type=module', '--eval', code], {
    name: 'script',
  });

describe('EventProcess', () => {
  it('finds the events in output that also has other lines, however the output is cut into pieces', async () => {
    const child = script(`
      const { setImmediate: turn } = await import('node:timers/promises');
      for (const part of ['log line\\n{"event":"o', 'ne","n":1}\\n{"no":"event"}\\n{bro', 'ken\\n{"event":"two"}\\n']) {
        process.stdout.write(part);
        await turn();
      }`);
    await child.exit;
    expect(child.events).toEqual([{ event: 'one', n: 1 }, { event: 'two' }]);
    expect(child.stdout).toContain('log line');
  });

  it('has waitForEvent, which finds past events too, and nextEvent, which finds only later ones', async () => {
    const child = script(`
      process.once('SIGUSR2', () => { console.log('{"event":"tick","n":2}'); process.exit(); });
      console.log('{"event":"tick","n":1}');
      setInterval(() => {}, 1000);`);
    expect(await child.waitForEvent('tick')).toMatchObject({ n: 1 });
    expect(await child.waitForEvent(({ n }) => n === 1)).toMatchObject({
      n: 1,
    });
    const next = child.nextEvent('tick');
    child.kill('SIGUSR2');
    expect(await next).toMatchObject({ n: 2 });
  });

  it('fails a wait if the process ends without the event; the error has the output of the process', async () => {
    const child = script(`console.error('the reason'); process.exit(3);`);
    await expect(child.waitForEvent('never')).rejects.toThrow(/ended with code 3[^]*the reason/);
    await expect(child.waitForEvent('never')).rejects.toThrow(/ended with code 3/);
  });

  it('fails a wait for an event at its timeout', async () => {
    const child = script(`setInterval(() => {}, 1000);`);
    await expect(child.waitForEvent('never', { timeoutMs: 10 })).rejects.toThrow(
      /no event 'never' within 10 ms/,
    );
  });

  it('stops a frozen process, and a second stop returns the same exit', async () => {
    const child = script(`console.log('{"event":"up"}'); setInterval(() => {}, 1000);`);
    await child.waitForEvent('up');
    child.kill('SIGSTOP');
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('fails every wait if its program does not exist', async () => {
    const child = new EventProcess('/does/not/exist', []);
    await expect(child.exit).rejects.toThrow('ENOENT');
    await expect(child.waitForEvent('any')).rejects.toThrow();
  });
});
