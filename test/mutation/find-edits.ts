/** Finds the small edits of a source file that its tests should notice, with the compiler's own parser. */
import ts from 'typescript';

/** One edit: the text from `start` to `end` is replaced; where both are the same, text is inserted. */
export interface Edit {
  /** Relative to the root of the project, with forward slashes. */
  readonly file: string;
  /** The line of `start`, counted from 1. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly before: string;
  readonly after: string;
  /** Whether the text is one statement or more; otherwise it is an expression. */
  readonly isStatement: boolean;
}

const SWAPS: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.LessThanToken, '<='],
  [ts.SyntaxKind.LessThanEqualsToken, '<'],
  [ts.SyntaxKind.GreaterThanToken, '>='],
  [ts.SyntaxKind.GreaterThanEqualsToken, '>'],
  [ts.SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [ts.SyntaxKind.AmpersandAmpersandToken, '||'],
  [ts.SyntaxKind.BarBarToken, '&&'],
  [ts.SyntaxKind.QuestionQuestionToken, '&&'],
  [ts.SyntaxKind.PlusToken, '-'],
  [ts.SyntaxKind.MinusToken, '+'],
  [ts.SyntaxKind.AsteriskToken, '/'],
  [ts.SyntaxKind.SlashToken, '*'],
  [ts.SyntaxKind.PercentToken, '*'],
  [ts.SyntaxKind.PlusEqualsToken, '-='],
  [ts.SyntaxKind.MinusEqualsToken, '+='],
]);

/** Methods that become another one of the same shape. */
const METHOD_SWAPS: Readonly<Record<string, string>> = {
  min: 'max',
  max: 'min',
  some: 'every',
  every: 'some',
};

/** Methods without which the object itself is the result. */
const DROPPED_METHODS: readonly string[] = ['filter', 'slice', 'reverse', 'sort', 'toSorted'];

/** From this number on, one more or less is a matter of taste: the number is doubled and halved instead. */
const LARGE = 100;

/** All edits of one file, in the order of their places. */
export function findEdits(file: string, text: string): Edit[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const edits: Edit[] = [];

  const replaceRange = (start: number, end: number, after: string, isStatement: boolean): void => {
    const line = source.getLineAndCharacterOfPosition(start).line + 1;
    const before = text.slice(start, end);
    if (before !== after) edits.push({ file, line, start, end, before, after, isStatement });
  };
  const replace = (node: ts.Node, after: string, isStatement = false): void =>
    replaceRange(node.getStart(source), node.end, after, isStatement);
  const textOf = (node: ts.Node): string => node.getText(source);

  const editCondition = (condition: ts.Expression, canBeTrue: boolean): void => {
    if (canBeTrue) replace(condition, 'true');
    replace(condition, 'false');
  };

  const editBinary = (node: ts.BinaryExpression): void => {
    const swapped = SWAPS.get(node.operatorToken.kind);
    if (swapped === undefined || isText(node.left) || isText(node.right)) return;
    const [left, right] = [textOf(node.left), textOf(node.right)];
    // The brackets keep the order of evaluation, and `??` apart from `&&`.
    replace(
      node,
      isAssignment(node) ? `${left} ${swapped} ${right}` : `((${left}) ${swapped} (${right}))`,
    );
  };

  const editUnary = (node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression): void => {
    const operand = textOf(node.operand);
    if (node.operator === ts.SyntaxKind.ExclamationToken) replace(node, operand);
    if (node.operator === ts.SyntaxKind.PlusPlusToken) {
      replace(node, ts.isPrefixUnaryExpression(node) ? `--${operand}` : `${operand}--`);
    }
    if (node.operator === ts.SyntaxKind.MinusMinusToken) {
      replace(node, ts.isPrefixUnaryExpression(node) ? `++${operand}` : `${operand}++`);
    }
  };

  const editNumber = (node: ts.NumericLiteral): void => {
    const value = Number(node.text);
    const others = Math.abs(value) < LARGE ? [value + 1, value - 1] : [value * 2, value / 2];
    for (const other of others) replace(node, other < 0 ? `(${other})` : String(other));
  };

  const editCall = (node: ts.CallExpression): void => {
    const callee = node.expression;
    // In a chain of `?.` the rest of the chain depends on this part.
    if (!ts.isPropertyAccessExpression(callee) || ts.isOptionalChain(node)) return;
    const { name, expression } = callee;
    const other = METHOD_SWAPS[name.text];
    if (other !== undefined) {
      const rest = text.slice(name.end, node.end);
      replace(node, `${textOf(expression)}.${other}${rest}`);
    }
    if (DROPPED_METHODS.includes(name.text)) replace(node, `(${textOf(expression)})`);
  };

  /**
   * A function that returns nothing does nothing at all; of one with a single statement that statement is
   * removed anyway.
   */
  const editBody = (body: ts.Block): void => {
    const [first] = body.statements;
    if (first === undefined || body.statements.length < 2 || returnsValue(body)) return;
    const start = first.getStart(source);
    replaceRange(start, start, 'return; ', true);
  };

  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))
      return;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isDecorator(node))
      return;
    if (ts.isIfStatement(node)) editCondition(node.expression, true);
    if (ts.isConditionalExpression(node)) editCondition(node.condition, true);
    // A loop that never ends would tell nothing but the time limit.
    if (ts.isWhileStatement(node)) editCondition(node.expression, false);
    if (ts.isBinaryExpression(node)) editBinary(node);
    if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) editUnary(node);
    if (ts.isNumericLiteral(node) && !isPropertyName(node)) editNumber(node);
    if (node.kind === ts.SyntaxKind.TrueKeyword) replace(node, 'false');
    if (node.kind === ts.SyntaxKind.FalseKeyword) replace(node, 'true');
    if (ts.isCallExpression(node)) editCall(node);
    if (ts.isSpreadAssignment(node)) replace(node.expression, '{}');
    if (ts.isExpressionStatement(node) && !isSuperCall(node)) replace(node, ';', true);
    if (ts.isReturnStatement(node) && node.expression !== undefined) {
      // Of `true` and `false` the opposite is an edit already.
      const given = textOf(node.expression);
      if (!['undefined', 'true', 'false'].includes(given)) replace(node.expression, 'undefined');
    }
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const { body } = node;
      if (ts.isBlock(body as ts.Node) && !ts.isConstructorDeclaration(node))
        editBody(body as ts.Block);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return edits.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** The text of a file after an edit. */
export function applyEdit(text: string, { start, end, after }: Edit): string {
  return text.slice(0, start) + after + text.slice(end);
}

/**
 * The text of a file that behaves as before, and calls `reached(INDEX)` just before what an edit would
 * change.
 *
 * @param probes the edits of this file, by index
 */
export function addProbes(text: string, probes: ReadonlyMap<number, Edit>): string {
  const inserts: { at: number; opens: boolean; length: number; text: string }[] = [];
  for (const [index, { start, end, isStatement }] of probes) {
    const probe = `reached(${index})`;
    const length = end - start;
    if (length === 0) {
      inserts.push({ at: start, opens: true, length: Infinity, text: `${probe};` });
      continue;
    }
    inserts.push({
      at: start,
      opens: true,
      length,
      text: isStatement ? `{${probe};` : `(${probe},`,
    });
    inserts.push({ at: end, opens: false, length, text: isStatement ? '}' : ')' });
  }
  // From the end of the file on. At one place the inner one closes first and the outer one opens first.
  inserts.sort(
    (a, b) =>
      b.at - a.at ||
      Number(b.opens) - Number(a.opens) ||
      (a.opens ? a.length - b.length : b.length - a.length),
  );
  let result = text;
  for (const insert of inserts) {
    result = result.slice(0, insert.at) + insert.text + result.slice(insert.at);
  }
  return result;
}

const short = (text: string): string => {
  const flat = text.replaceAll(/\s+/g, ' ').trim();
  return flat.length > 70 ? `${flat.slice(0, 67)}...` : flat;
};

/** An edit as a report shows it, in one line. */
export function describeEdit({ file, line, before, after }: Edit): string {
  const shown = after === ';' ? '(removed)' : short(after);
  return `${file}:${line}  ${before === '' ? '(first statement)' : short(before)}  ->  ${shown}`;
}

function isText(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isText(node.expression);
  if (ts.isBinaryExpression(node)) return isText(node.left) || isText(node.right);
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}

function isAssignment({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function isPropertyName(node: ts.NumericLiteral): boolean {
  return ts.isPropertyAssignment(node.parent) && node.parent.name === node;
}

function isSuperCall({ expression }: ts.ExpressionStatement): boolean {
  return (
    ts.isCallExpression(expression) && expression.expression.kind === ts.SyntaxKind.SuperKeyword
  );
}

function returnsValue(node: ts.Node): boolean {
  if (ts.isReturnStatement(node)) return node.expression !== undefined;
  if (ts.isFunctionLike(node)) return false;
  return ts.forEachChild(node, (child) => returnsValue(child) || undefined) === true;
}
