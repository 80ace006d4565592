import { Calls } from './calls.js';
import type { FoundEtcd } from './find-etcd.js';
import { Records } from './records.js';
import { SampleProcess } from './sample-process.js';

/** How long a record outlives a server that was killed, in seconds. The library's default is 10. */
export const TTL_SECONDS = 4;
/** The client's pause between two calls, in milliseconds. */
const INTERVAL_MS = 20;

/** A server process, and the address at which it is registered. */
export interface RunningServer {
  readonly address: string;
  readonly process: SampleProcess;
}

/** Everything that runs in the demonstration: what starts here is also stopped here. */
export class Stage {
  readonly calls = new Calls();
  readonly records: Records;
  private readonly processes = new Set<SampleProcess>();
  private closing = false;

  constructor(private readonly etcd: FoundEtcd) {
    this.records = new Records(etcd.hosts);
  }

  /** Starts a server; resolves when its record is in etcd. Port 0 is any free port. */
  async startServer(port: number): Promise<RunningServer> {
    const settings = { PORT: String(port), TTL_SECONDS: String(TTL_SECONDS) };
    const process = this.start('api', settings, printNews);
    const address = await process.printed(/\[Api\] Serving as (\S+)\.$/);
    await this.records.untilThere(address);
    return { address, process };
  }

  startClient(): SampleProcess {
    return this.start('client', { INTERVAL_MS: String(INTERVAL_MS) }, (line) => {
      this.calls.read(line);
      printNews(line);
    });
  }

  /** Ends every process, the client first, so that no call is under way when the servers end. */
  async stopProcesses(): Promise<void> {
    const stopping = [...this.processes].toReversed();
    for (const process of stopping) await process.stop();
    this.processes.clear();
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.stopProcesses();
    await this.records.close();
    await this.etcd.stop();
  }

  private start(
    name: 'api' | 'client',
    settings: Readonly<Record<string, string>>,
    onLine: (line: string) => void,
  ): SampleProcess {
    if (this.closing) throw new Error(`${name} is not started: the demonstration ends`);
    const environment = { ...settings, ETCD_HOSTS: this.etcd.hosts.join(',') };
    const process = new SampleProcess(name, environment, onLine);
    this.processes.add(process);
    return process;
  }
}

/** Prints what the library and the applications log; Nest's own lines at the start are left out. */
function printNews(line: string): void {
  const [, pid, level = '', context, text] =
    /^\[Nest\] (\d+) .*? (LOG|WARN|ERROR|FATAL) \[(\w+)\] (.*)$/.exec(line) ?? [];
  if (text === undefined) return;
  if (context === 'DiscoveryModule' || level !== 'LOG') console.log(`     ${pid} | ${text}`);
}
