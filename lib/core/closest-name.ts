/** Finds the known name that a user most likely meant with a misspelt name. */

/** The share of the longer name's letters in which a misspelt and a known name may differ. */
const MOST_DIFFERENT = 0.34;

/**
 * The known name that is most similar to a given name. Case and separators do not count; up to a third of the
 * letters of the longer name may differ (Levenshtein distance).
 *
 * @param most a second bound of the letters that may differ, 1 or more; the lower of both bounds counts.
 *   Default: no second bound
 * @returns `undefined` if no known name is similar
 */
export function closestName(
  given: string,
  known: readonly string[],
  most = Infinity,
): string | undefined {
  const plain = lettersOf(given);
  let closest: string | undefined;
  let least = Infinity;
  for (const name of known) {
    const letters = lettersOf(name);
    const third = Math.floor(Math.max(plain.length, letters.length) * MOST_DIFFERENT);
    const bound = Math.min(most, Math.max(1, third));
    if (Math.abs(plain.length - letters.length) > bound) continue;
    const distance = editDistance(plain, letters);
    if (distance > bound || distance >= least || distance >= letters.length) continue;
    closest = name;
    least = distance;
  }
  return closest;
}

/** The question at the end of an error's text, `; did you mean …?`; empty if no known name is similar. */
export function didYouMean(given: unknown, known: readonly string[]): string {
  const name = typeof given === 'string' ? closestName(given, known) : undefined;
  return name === undefined ? '' : `; did you mean ${name}?`;
}

function lettersOf(name: string): string {
  return name
    .slice(0, 100)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
}

/** The Levenshtein distance of two texts, computed row by row. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let at = 0; at < from.length; at++) {
    const next = [at + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = (row[column] ?? 0) + (from[at] === to[column] ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
