/**
 * How long the demonstration waits for a state before it fails and says which one is missing, in
 * milliseconds.
 */
const PATIENCE_MS = 30_000;

/** A state that changes, and that callers can wait for. */
export abstract class Changes {
  private readonly checks = new Set<() => void>();

  /**
   * Resolves as soon as the condition holds.
   *
   * @param what names the condition in the error
   * @throws when the condition is not met in time, after 30 s by default
   */
  until(what: string, condition: () => boolean, patienceMs = PATIENCE_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.checks.delete(check);
        reject(new Error(`waited ${patienceMs / 1_000} s in vain: ${what}`));
      }, patienceMs);
      const check = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        this.checks.delete(check);
        resolve();
      };
      this.checks.add(check);
      check();
    });
  }

  protected changed(): void {
    for (const check of this.checks) check();
  }
}
