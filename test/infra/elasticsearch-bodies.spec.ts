import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';

const CALLS = { policies: 'IlmPutLifecycleRequest', templates: 'IndicesPutIndexTemplateRequest' } as const;

/**
 * The client's types are made from Elastic's specification of the API; the compiler refuses members and values that it
 * does not know.
 */
function faults(statements: readonly string[]): string[] {
  const name = 'bodies.ts';
  const text = [`import type { estypes } from '@elastic/elasticsearch';`, ...statements].join('\n');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (path, target) =>
    path.endsWith(name) ? ts.createSourceFile(path, text, target) : read(path, target);
  const program = ts.createProgram([name], options, host);
  return program
    .getSemanticDiagnostics(program.getSourceFile(name))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

const statement = (type: string, body: string): string =>
  `void ({ name: 'x', ...(${body} satisfies Omit<estypes.${type}, 'name'>) } satisfies estypes.${type});`;

const bodies = (folder: string): string[] =>
  readdirSync(`infra/elasticsearch/${folder}`).map((file) =>
    readFileSync(`infra/elasticsearch/${folder}/${file}`, 'utf8').trim(),
  );

test('policies and templates are what the specification of Elasticsearch allows', () => {
  const statements = Object.entries(CALLS).flatMap(([folder, type]) =>
    bodies(folder).map((body) => statement(type, body)),
  );
  expect(statements).toHaveLength(5);
  expect(faults(statements)).toEqual([]);
  const wrong = statement(
    CALLS.policies,
    `{ "policy": { "phases": { "delete": { "min_age": "1d", "actoins": {} } } } }`,
  );
  expect(faults([wrong]).join()).toContain('actoins');
});

test('each stream has a template of its name, and is kept for as long as is promised', () => {
  const days = Object.fromEntries(
    bodies('templates').map((body) => {
      const { index_patterns: patterns, template } = JSON.parse(body);
      const { name } = template.settings.index.lifecycle;
      const { policy } = JSON.parse(readFileSync(`infra/elasticsearch/policies/${name}.json`, 'utf8'));
      return [patterns.join(), policy.phases.delete.min_age];
    }),
  );
  expect(days).toEqual({
    'facial-api-app': '30d',
    'facial-api-nginx': '30d',
    // DPDP Rules 2025, rule 6(1)(e): a year.
    'facial-api-security': '365d',
  });
});
