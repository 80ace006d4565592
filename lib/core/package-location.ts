/** The location of this package, for `createRequire`. */

/** The location in a line of a stack trace, before line and column: a file URL or an absolute path. */
const PLACE = /(file:\/\/\S+|\/[^\s()][^()]*|[A-Za-z]:\\[^()]*):\d+:\d+\)?$/;

/**
 * The location of a file of this package, as a URL or an absolute path. It comes from a stack trace:
 * `import.meta` would be a syntax error if Jest translates the package to CommonJS. Returns `fallback` if the
 * stack trace has another form.
 */
export function packageLocation(fallback: string): string {
  const line = new Error('for its stack').stack?.split('\n')[1] ?? '';
  return PLACE.exec(line)?.[1] ?? fallback;
}
