/** A copy of what the unit tests need: edits are made there, and never in the checkout. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { addProbes, applyEdit, type Edit, findEdits } from './find-edits.js';

const CONTENT: readonly string[] = [
  'lib',
  'docs',
  'test/fixtures',
  'test/mutation',
  'test/support',
  'test/unit',
  'package-lock.json',
  'package.json',
  'tsconfig.json',
  'vitest.config.mts',
];

/** Checks of the code itself, which an edit is to survive, and tests of the tests. */
const NO_SPECS: readonly string[] = ['test/unit/architecture/', 'test/unit/support/'];

/** One copy. Below the checkout, whose packages it finds there. */
export class TreeCopy {
  readonly root: string;

  constructor(private readonly project: string) {
    const parent = join(project, '.cache/mutation/trees');
    mkdirSync(parent, { recursive: true });
    this.root = mkdtempSync(join(parent, 'tree-'));
    for (const path of CONTENT) {
      cpSync(join(project, path), join(this.root, path), { recursive: true });
    }
  }

  /** The unit tests, from the copy's root. */
  get specs(): readonly string[] {
    return this.list('test/unit', '.spec.ts').filter(
      (path) => !NO_SPECS.some((folder) => path.startsWith(folder)),
    );
  }

  /** All edits of the library's files whose path begins with `prefix`. */
  edits(prefix: string): readonly Edit[] {
    return this.list('lib', '.ts')
      .filter((file) => file.startsWith(prefix))
      .flatMap((file) => findEdits(file, this.read(file)));
  }

  read(file: string): string {
    return readFileSync(join(this.project, file), 'utf8');
  }

  path(file: string): string {
    return join(this.root, file);
  }

  /** Writes the file with the edit. */
  apply(edit: Edit): void {
    writeFileSync(this.path(edit.file), applyEdit(this.read(edit.file), edit));
  }

  /** Writes every file with the probes of its edits. */
  probe(edits: readonly Edit[]): void {
    for (const file of new Set(edits.map((edit) => edit.file))) {
      const own = edits.flatMap((edit, index) =>
        edit.file === file ? [[index, edit] as const] : [],
      );
      writeFileSync(this.path(file), addProbes(this.read(file), new Map(own)));
    }
  }

  /** Writes the file as it is in the checkout. */
  restore(file: string): void {
    writeFileSync(this.path(file), this.read(file));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  private list(folder: string, end: string): readonly string[] {
    return readdirSync(join(this.project, folder), { recursive: true, encoding: 'utf8' })
      .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
      .filter((path) => path.endsWith(end))
      .sort();
  }
}
