/**
 * Collects which addresses of a service have a ready connection: its channels report them, its directory
 * reads them.
 */

/** The directory's view of the connections: it reads which addresses are ready. */
interface ConnectionOracle {
  /** Whether some channel of this process has a ready connection to an address. */
  isReady(address: string): boolean;
}

/** One channel's view of the connections: it reports its own. */
export interface ConnectionReporter {
  /** Reports that the connection to an address became ready, or is no longer ready. */
  report(address: string, ready: boolean): void;
  /** Reports that the channel has closed, with all its connections. */
  close(): void;
}

/** Collects what the channels of one service report. */
export class ConnectionReports implements ConnectionOracle {
  private readonly counts = new Map<string, number>();

  /**
   * @param onLost called when the last ready connection to an address is gone; never from within `isReady`
   */
  constructor(private readonly onLost: (address: string) => void) {}

  isReady(address: string): boolean {
    return this.counts.has(address);
  }

  /** Adds a channel. */
  open(): ConnectionReporter {
    const ready = new Set<string>();
    const report = (address: string, isReady: boolean): void => {
      if (ready.has(address) === isReady) return;
      if (isReady) ready.add(address);
      else ready.delete(address);
      this.count(address, isReady ? 1 : -1);
    };
    return {
      report,
      close: () => {
        for (const address of ready) report(address, false);
      },
    };
  }

  private count(address: string, difference: number): void {
    const count = (this.counts.get(address) ?? 0) + difference;
    if (count > 0) {
      this.counts.set(address, count);
      return;
    }
    this.counts.delete(address);
    this.onLost(address);
  }
}
