/** Where this package lies, for `createRequire`. */

/** What stands in a line of a stack before line and column: a file URL, or an absolute path. */
const PLACE = /(file:\/\/\S+|\/[^\s()][^()]*|[A-Za-z]:\\[^()]*):\d+:\d+\)?$/;

/**
 * A file of this package, as a URL or an absolute path. It is read from a stack and not from `import.meta`, which is a syntax error
 * where Jest translates the package to CommonJS; `fallback` where the stack has another form.
 */
export function packageLocation(fallback: string): string {
  const line = new Error('for its stack').stack?.split('\n')[1] ?? '';
  return PLACE.exec(line)?.[1] ?? fallback;
}
