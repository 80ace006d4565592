/**
 * Edits that no test can notice, or that change only what is a matter of taste; they are not taken into a
 * sample.
 */
import type { Edit } from './find-edits.js';

/** One such edit, or several of one line. */
export interface Equivalent {
  readonly file: string;
  /** A part of the line that only this line of the file has. */
  readonly line: string;
  /** What the edit makes of the text; by default every edit that begins in the line. */
  readonly after?: string;
  readonly why: string;
}

/** The list. */
export const EQUIVALENTS: readonly Equivalent[] = [
  {
    file: 'lib/core/snapshot/snapshot.ts',
    line: 'while (tail < shorter - head',
    after: '((shorter) + (head))',
    why: 'an address stands once in a list, so the equal ends of two lists never overlap',
  },
  {
    file: 'lib/core/snapshot/snapshot.ts',
    line: 'while (head < shorter &&',
    after: 'false',
    why: 'equal ends are left out of the comparison for its cost only',
  },
  {
    file: 'lib/core/records/endpoint-address.ts',
    line: 'if (known',
    after: 'false',
    why: 'the parsed address is kept for its cost only',
  },
  {
    file: 'lib/balance/load/peak-ewma.ts',
    line: 'const isPeak = Number.isNaN(latencyMs)',
    after: '((elapsedMs) >= (latencyMs))',
    why: 'an answer as slow as the estimate leaves it in either way',
  },
  {
    file: 'lib/balance/load/peak-ewma.ts',
    line: 'cells = Float64Array.of(Number.NaN, 0,',
    why: 'nothing reads the share of failures before the first call, which keeps nothing of it',
  },
  {
    file: 'lib/balance/load/refused-calls.ts',
    line: 'while (at > 0 && ends[at - 1]! > end) at--;',
    after: '((at) >= (0))',
    why: 'before the first place there is nothing, which is above no time',
  },
  {
    file: 'lib/balance/load/refused-calls.ts',
    line: 'while (at > 0 && ends[at - 1]! > end) at--;',
    after: '(-1)',
    why: 'before the first place there is nothing, which is above no time',
  },
  {
    file: 'lib/balance/load/refused-calls.ts',
    line: 'if (at > 0 && ends[at - 1] === end)',
    after: '((at) >= (0))',
    why: 'before the first place there is nothing, which equals no time',
  },
  {
    file: 'lib/balance/load/refused-calls.ts',
    line: 'if (at > 0 && ends[at - 1] === end)',
    after: '(-1)',
    why: 'before the first place there is nothing, which equals no time',
  },
  {
    file: 'lib/balance/load/refused-calls.ts',
    line: 'if (over > 0) {',
    after: 'true',
    why: 'removing none changes nothing; left out for its cost only',
  },
  {
    file: 'lib/balance/load/refused-calls.ts',
    line: 'if (over > 0) {',
    after: '((over) >= (0))',
    why: 'removing none changes nothing; left out for its cost only',
  },
  {
    file: 'lib/balance/load/refused-calls.ts',
    line: 'if (over > 0) {',
    after: '(-1)',
    why: 'removing none changes nothing; left out for its cost only',
  },
  {
    file: 'lib/balance/load/peak-ewma.ts',
    line: 'return idleMs > 0 ?',
    after: '((idleMs) >= (0))',
    why: 'without idle time the decay is 1 as well',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'const bits = Math.min(24,',
    why: 'the number of buckets decides the cost of a lookup only',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'while (point < size && positions[point]! < position)',
    after: '((point) <= (size))',
    why: 'behind the last point there is nothing, which is below no position',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'for (let step = 1; step < size; step++)',
    after: '0',
    why: 'the last step comes back to the first point, which is not nearer',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'for (let step = 1; step < size; step++)',
    after: '((step) <= (size))',
    why: 'the last step comes back to the first point, which is not nearer',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'if (length >= least * mostWeight) break;',
    after: '((length) > (least * mostWeight))',
    why: 'a point at exactly this distance is not nearer',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'for (let bucket = 1; bucket < starts.length',
    after: '((bucket) <= (starts.length))',
    why: 'a typed array ignores a write behind its end',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'for (; place > first &&',
    after: '((place) >= (first))',
    why: 'a point of the bucket before is never above',
  },
  {
    file: 'lib/balance/policies/alias-table.ts',
    line: 'new Int32Array(areEqual(weights) ? 0',
    after: 'false',
    why: 'with equal weights every column is full of its own place; the table is left out for its cost only',
  },
  {
    file: 'lib/balance/policies/alias-table.ts',
    line: 'new Int32Array(areEqual(weights) ? 0',
    after: '1',
    why: 'with equal weights every column is full of its own place; the table is left out for its cost only',
  },
  {
    file: 'lib/balance/policies/alias-table.ts',
    line: 'this.thresholds = this.aliases.length === 0 ?',
    after: 'false',
    why: 'with equal weights every column is full of its own place; the table is left out for its cost only',
  },
  {
    file: 'lib/balance/policies/alias-table.ts',
    line: '(weight < 1 ? small : large)',
    after: '((weight) <= (1))',
    why: 'a column of height 1 takes nothing from another one',
  },
  {
    file: 'lib/balance/policies/alias-table.ts',
    line: 'if (thresholds[rich] < 1) small',
    after: '((thresholds[rich]) <= (1))',
    why: 'a column of height 1 takes nothing from another one',
  },
  {
    file: 'lib/balance/policies/alias-table.ts',
    line: 'for (const place of small) thresholds[place] = 1;',
    after: '2',
    why: 'no draw is above a height of 1',
  },
  {
    file: 'lib/balance/policies/weighted-schedule.ts',
    line: 'for (let at = (size >> 1) - 1;',
    after: '(((size >> 1)) + (1))',
    why: 'a leaf of the heap sinks nowhere',
  },
  {
    file: 'lib/balance/policies/weighted-schedule.ts',
    line: 'for (let at = (size >> 1) - 1;',
    after: '0',
    why: 'a leaf of the heap sinks nowhere',
  },
  {
    file: 'lib/balance/modifiers/slow-start.ts',
    line: 'if (ageMs >= options.windowMs) return 1;',
    after: '((ageMs) > (options.windowMs))',
    why: 'at the end of the window the ramp is 1 as well',
  },
  {
    file: 'lib/balance/policies/murmur-hash.ts',
    line: 'if ((length & 3) !== 0)',
    after: 'true',
    why: 'without a rest the block is 0, which changes no bit of the hash',
  },
  {
    file: 'lib/balance/policies/murmur-hash.ts',
    line: 'if (point > 0xffff) at++;',
    after: '((point) >= (0xffff))',
    why: 'a code unit of a surrogate never gives the code point 0xffff',
  },
  {
    file: 'lib/balance/policies/round-robin.ts',
    line: 'for (let step = 0;',
    after: '1',
    why: 'the place of step 0 was looked for before the table',
  },
  {
    file: 'lib/balance/policies/round-robin.ts',
    line: 'if (soon >= 0) return soon;',
    after: 'false',
    why: 'the table finds the same place at step 0; left out for its cost only',
  },
  {
    file: 'lib/balance/policies/pick-two.ts',
    line: 'if (candidates.length === 1)',
    after: 'false',
    why: 'the only candidate is drawn twice, and compared with itself',
  },
  {
    file: 'lib/registry/memory-registry.ts',
    line: 'this.open.delete(registration);',
    why: 'close() does nothing to a registration that is closed; the set forgets it for its memory only',
  },
  {
    file: 'lib/registry/directory/service-config-feed.ts',
    line: 'share({ connector: () => new ReplaySubject(1) })',
    after: '0',
    why: 'a ReplaySubject keeps one value at least',
  },
  {
    file: 'lib/registry/directory/guarded-list.ts',
    line: 'if (atMs === this.lookAtMs) return;',
    after: 'false',
    why: 'a timer that is set anew for the same time changes nothing but the cost of a step',
  },
  {
    file: 'lib/balance/modifiers/subset.ts',
    line: 'const ROUNDING_SALT',
    why: 'any bits do: they only have to give another hash than the one that ranks',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'return this.isEven ?',
    after: 'false',
    why: 'with equal weights no point behind the first ones is nearer; the walk is left out for its cost only',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'for (let bucket = 1;',
    after: '0',
    why: 'the sum for bucket 0 is NaN, which an Int32Array holds as 0, where that bucket begins',
  },
  {
    file: 'lib/balance/policies/round-robin.ts',
    line: 'const last = this.last === undefined ? -1',
    after: '2',
    why: 'every negative place means that there is none',
  },
  {
    file: 'lib/balance/pool.ts',
    line: 'const mean = usable > 0',
    after: 'true',
    why: 'without a usable weight nothing is divided by the mean',
  },
  {
    file: 'lib/balance/pool.ts',
    line: 'for (let index = 1;',
    after: '0',
    why: 'compares the first weight with itself; weights are finite',
  },
  {
    file: 'lib/core/lease/lease-types.ts',
    line: '  dirty: false,',
    why: 'the first wish sets the mark, and an idle machine acts on nothing else that reads it',
  },
  {
    file: 'lib/core/records/go-utf8.ts',
    line: 'if (length === 0 ||',
    after: '(-1)',
    why: 'a length of 0 is returned for such bytes either way, and only a length above 0 is one',
  },
  {
    file: 'lib/registry/directory/service-directory.ts',
    line: 'if (!this.pending) return;',
    after: 'false',
    why: 'a publication without a change finds the same list, and publishes nothing; left out for its cost only',
  },
  {
    file: 'lib/registry/directory/service-directory.ts',
    line: 'this.pending = false;',
    why: 'a publication without a change finds the same list, and publishes nothing; left out for its cost only',
  },
  {
    file: 'lib/grpc/balancer/endpoint-balancer.ts',
    line: 'private updating = false;',
    after: 'true',
    why: 'no connection exists before the first update, which sets the flag',
  },
  {
    file: 'lib/grpc/balancer/endpoint-balancer.ts',
    line: 'if (settings === undefined || table === undefined) return;',
    why: 'nothing is published before the first update, which sets both; the check is for the types',
  },
  {
    file: 'lib/balance/load/endpoint-load.ts',
    line: 'private quietSinceMs = 0;',
    why: 'read only while a timed call is in flight; the first of them sets the time',
  },
  {
    file: 'lib/grpc/connection/connection-table.ts',
    line: 'private lists = 0;',
    why: 'lists may be counted from any number on',
  },
  {
    file: 'lib/grpc/connection/connection-table.ts',
    line: 'const list = ++this.lists;',
    after: '--this.lists',
    why: 'any number does that no list had before',
  },
  {
    file: 'lib/grpc/connection/endpoint-connection.ts',
    line: '  list = 0;',
    why: 'the table sets the number as soon as it has made the connection',
  },
  {
    file: 'lib/grpc/connection/connection-table.ts',
    line: 'if (this.byAddress.size > listed.length)',
    after: 'true',
    why: 'without such a connection the loop finds none to remove; left out for its cost only',
  },
  {
    file: 'lib/grpc/connection/connection-table.ts',
    line: 'if (this.byAddress.size > listed.length)',
    after: '((this.byAddress.size) >= (listed.length))',
    why: 'with as many connections as endpoints the loop finds none to remove',
  },
  {
    file: 'lib/grpc/resolver/resolver-table.ts',
    line: 'if (installed.has(scheme)) return;',
    after: 'false',
    why: 'a second call registers the same once more; left out for its cost only',
  },
  {
    file: 'lib/grpc/balancer/endpoint-picker.ts',
    line: 'let startedMs = 0;',
    after: '1',
    why: 'grpc-js reports the start of a call before its end; the start sets the time',
  },
  {
    file: 'lib/grpc/balancer/endpoint-picker.ts',
    line: 'const nowMs = this.measures ? this.clock.now() : 0;',
    after: '1',
    why: 'a policy whose calls are not measured does not read the time',
  },
  {
    file: 'lib/grpc/balancer/endpoint-picker.ts',
    line: 'const nowMs = this.measures ? this.clock.now() : 0;',
    after: '(-1)',
    why: 'a policy whose calls are not measured does not read the time',
  },
  {
    file: 'lib/grpc/connection/ramp-plan.ts',
    line: 'this.isScheduled = true;',
    why: 'a second run in a turn finds nothing to start; left out for its cost only',
  },
  {
    file: 'lib/grpc/connection/ramp-plan.ts',
    line: 'if (this.isScheduled) return;',
    after: 'false',
    why: 'a second run in a turn finds nothing to start; left out for its cost only',
  },
  {
    file: 'lib/grpc/connection/pick-first-plan.ts',
    line: 'this.isScheduled = true;',
    why: 'a second run in a turn finds nothing to change; left out for its cost only',
  },
  {
    file: 'lib/grpc/connection/pick-first-plan.ts',
    line: 'if (this.isScheduled) return;',
    after: 'false',
    why: 'a second run in a turn finds nothing to change; left out for its cost only',
  },
  {
    file: 'lib/grpc/resolved-endpoint.ts',
    line: 'while (head < endpoints.length &&',
    after: 'false',
    why: 'the equal beginning of two lists is not looked up again for its cost only',
  },
  {
    file: 'lib/grpc/resolved-endpoint.ts',
    line: 'while (head < endpoints.length &&',
    after: '((head) <= (endpoints.length))',
    why: 'one place behind both lists nothing is left to look up either',
  },
  {
    file: 'lib/grpc/resolved-endpoint.ts',
    line: 'while (wasEnd > head && isEnd > head &&',
    after: 'false',
    why: 'the equal end of two lists is not looked up again for its cost only',
  },
  {
    file: 'lib/grpc/resolved-endpoint.ts',
    line: 'this.before = endpoints;',
    why: 'without the list before, a list is looked up whole, at a higher cost only',
  },
  {
    file: 'lib/grpc/resolved-endpoint.ts',
    line: 'resolved.length === before.length',
    after: 'false',
    why: 'a list is looked up whole, with the same result, at a higher cost only',
  },
  {
    file: 'lib/grpc/interceptors/call-interceptors.ts',
    line: 'if (!hasAny(given)) return [];',
    after: 'false',
    why: 'without interceptors the result is empty as well; left out for its cost only',
  },
  {
    file: 'lib/grpc/grpc-js/keepalive-pings.ts',
    line: 'budget.take(transport.messagesReceived ?? 0,',
    after: '1',
    why: 'any number means silence, as long as it stays the same',
  },
  {
    file: 'lib/grpc/grpc-js/keepalive-pings.ts',
    line: 'budget.take(transport.messagesReceived ?? 0,',
    after: '(-1)',
    why: 'any number means silence, as long as it stays the same',
  },
  {
    file: 'lib/nest/options/validate-etcd-tls.ts',
    line: "return typeof given === 'string' ? Buffer.from(given)",
    after: 'true',
    why: 'Buffer.from takes both kinds; the two branches are for the types',
  },
  {
    file: 'lib/nest/options/validate-etcd-tls.ts',
    line: "return typeof given === 'string' ? Buffer.from(given)",
    after: 'false',
    why: 'Buffer.from takes both kinds; the two branches are for the types',
  },
  {
    file: 'lib/nest/options/validate-service.ts',
    line: 'return parseAddress(formatAddress(host, 1))',
    after: '2',
    why: 'any port does: only the host is checked',
  },
  {
    file: 'lib/nest/server/grpc-registrar.service.ts',
    line: 'const withdrawn = this.readiness.isReady',
    after: 'false',
    why: 'an application that becomes ready has no record, or its records are being removed already',
  },
  {
    file: 'lib/nest/shutdown/force-signal.ts',
    line: "signal.addEventListener('abort', onAbort, { once: true });",
    after: 'false',
    why: 'a signal aborts once',
  },
  {
    file: 'lib/nest/shutdown/close-registry.ts',
    line: "hurry.signal.addEventListener('abort'",
    after: 'false',
    why: 'a signal aborts once',
  },
  {
    file: 'lib/nest/shutdown/close-registry.ts',
    line: "else force.addEventListener('abort', onForce",
    after: 'false',
    why: 'a signal aborts once',
  },
  {
    file: 'lib/nest/snapshot/snapshot-text.ts',
    line: 'if (known !== undefined) return known;',
    after: 'false',
    why: 'the text of an endpoint is kept for its cost only',
  },
  {
    file: 'lib/nest/snapshot/snapshot-text.ts',
    line: 'encoded.set(endpoint, text);',
    after: ';',
    why: 'the text of an endpoint is kept for its cost only',
  },
  {
    file: 'lib/nest/snapshot/snapshot-file.ts',
    line: 'await handle.sync();',
    why: 'only a power failure shows whether the file has reached the disk',
  },
  {
    file: 'lib/balance/policies/alias-table.ts',
    line: 'this.thresholds = this.aliases.length === 0',
    after: '(-1)',
    why: 'equal weights need no table; the one that is filled then draws the same places',
  },
  {
    file: 'lib/balance/policies/ring.ts',
    line: 'let nearest = 0;',
    after: '1',
    why: 'the first probe always replaces it: every distance is below Infinity',
  },
  {
    file: 'lib/balance/modifiers/locality-split.ts',
    line: 'const share = own === 0',
    after: '2',
    why: 'without other endpoints the shares are only compared with each other: any share above 0 gives 1',
  },
  {
    file: 'lib/core/closest-name.ts',
    line: 'return name',
    after: '(name)',
    why: 'bounds the cost of a comparison only',
  },
  {
    file: 'lib/core/records/endpoint-codec.ts',
    line: 'split < 0 ? source',
    after: '1',
    why: 'metadata is never empty, so `DISCOVERY` never begins at 0; text that does is no JSON in either way',
  },
  {
    file: 'lib/core/records/go-json.ts',
    line: 'aIsSurrogate ? 1 : -1',
    after: '2',
    why: 'only the sign of a comparison counts',
  },
  {
    file: 'lib/core/snapshot/removal-guard.ts',
    line: 'gone.size === 0 ? undefined',
    after: 'false',
    why: 'without removed endpoints there is nothing to hold, whatever the suspicion',
  },
];

/** Whether an edit is on the list. */
export function isEquivalent(
  edit: Edit,
  lineText: string,
  list: readonly Equivalent[] = EQUIVALENTS,
): boolean {
  return list.some(
    ({ file, line, after }) =>
      file === edit.file &&
      lineText.includes(line) &&
      (after === undefined || after === edit.after),
  );
}
