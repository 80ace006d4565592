/** Reads what the source files of the library import, with the compiler's own parser. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

/** One import of a file. */
export interface ImportEdge {
  /** As it stands in the source: `../core/endpoint.js`, `rxjs`. */
  readonly specifier: string;
  /**
   * The file it names, relative to the library's folder, e.g. `core/records/endpoint.ts`; `undefined` for a
   * package.
   */
  readonly file: string | undefined;
  /** The names that it takes, as the other file exports them; `*` for all of them. */
  readonly names: readonly string[];
  /** Whether the compiled file has nothing left of it. */
  readonly typeOnly: boolean;
  /** `import 'x'`: only for what loading it does. */
  readonly sideEffectOnly: boolean;
  readonly line: number;
}

/** One parsed file: `path` is relative to the library's folder and has forward slashes. */
export interface SourceModule {
  readonly path: string;
  readonly source: ts.SourceFile;
  readonly imports: readonly ImportEdge[];
}

/** Parses every TypeScript file below a folder. */
export function readModules(folder: string): SourceModule[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => parseModule(path, readFileSync(join(folder, path), 'utf8')));
}

/** Parses one file from its text. */
export function parseModule(path: string, text: string): SourceModule {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: ImportEdge[] = [];
  const add = (
    node: ts.Node,
    literal: ts.Node | undefined,
    typeOnly: boolean,
    names: readonly string[] = ['*'],
  ): void => {
    const known = literal !== undefined && ts.isStringLiteralLike(literal);
    const specifier = known ? literal.text : '(computed)';
    const file = specifier.startsWith('.')
      ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
      : undefined;
    const sideEffectOnly = ts.isImportDeclaration(node) && node.importClause === undefined;
    imports.push({ specifier, file, names, typeOnly, sideEffectOnly, line: lineOf(source, node) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const { importClause } = node;
      add(
        node,
        node.moduleSpecifier,
        isTypeOnlyImport(importClause),
        namesOf(importClause?.namedBindings),
      );
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node, node.moduleSpecifier, isTypeOnlyExport(node), namesOf(node.exportClause));
    } else if (ts.isImportEqualsDeclaration(node)) {
      if (ts.isExternalModuleReference(node.moduleReference)) {
        add(node, node.moduleReference.expression, node.isTypeOnly);
      }
    } else if (ts.isImportTypeNode(node)) {
      const literal = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
      add(node, literal, true, node.qualifier && [node.qualifier.getText().split('.')[0]!]);
    } else if (ts.isCallExpression(node) && loadsModule(node.expression)) {
      add(node, node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { path, source, imports };
}

/** The line of a node, counted from 1. */
export function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
}

function namesOf(
  bindings: ts.NamedImportBindings | ts.NamedExportBindings | undefined,
): readonly string[] {
  if (bindings === undefined) return ['*'];
  if (!ts.isNamedImports(bindings) && !ts.isNamedExports(bindings)) return ['*'];
  return bindings.elements.map(({ propertyName, name }) => (propertyName ?? name).text);
}

/** The names that a file exports, each with its line; not those that it takes from another file. */
export function exportsOf({ source }: SourceModule): readonly { name: string; line: number }[] {
  return source.statements.flatMap((statement) => {
    const isExported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (isExported !== true) return [];
    return declaredNames(statement).map((name) => ({ name, line: lineOf(source, statement) }));
  });
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    const names = (name: ts.BindingName): string[] =>
      ts.isIdentifier(name)
        ? [name.text]
        : name.elements.flatMap((one) => (ts.isBindingElement(one) ? names(one.name) : []));
    return statement.declarationList.declarations.flatMap(({ name }) => names(name));
  }
  const { name } = statement as ts.DeclarationStatement;
  return name === undefined ? [] : [name.text];
}

function isTypeOnlyImport(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = clause;
  if (name !== undefined || namedBindings === undefined) return false;
  if (!ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.every((element) => element.isTypeOnly);
}

function isTypeOnlyExport(node: ts.ExportDeclaration): boolean {
  if (node.isTypeOnly) return true;
  const clause = node.exportClause;
  if (clause === undefined || !ts.isNamedExports(clause)) return false;
  return clause.elements.every((element) => element.isTypeOnly);
}

function loadsModule(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(callee) && callee.text === 'require';
}
