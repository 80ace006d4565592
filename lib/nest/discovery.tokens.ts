/** Injection tokens inside the module. */

/** The checked options (`ResolvedOptions`). */
export const DISCOVERY_OPTIONS = Symbol('DISCOVERY_OPTIONS');
