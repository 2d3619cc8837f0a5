import { JOB_TYPES } from '#jobs/job';
import { INPUT_REFUSALS, ITEM_FAILURES, ITEM_REFUSALS } from '#jobs/jobs.errors';
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';
import { createCredentials } from '../harness/test-client.js';

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({ worker: true });
});

afterAll(() => stack.stop());

async function pasted(script: string): Promise<string> {
  const env = { ...process.env, VELUM_URL: stack.url, CLIENT: JSON.stringify(createCredentials(stack)) };
  const cwd = mkdtempSync(join(tmpdir(), 'velum-documents-'));
  const shell = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], { env, cwd });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.on('data', (part: Buffer) => (output += part.toString()));
  }
  const code = await new Promise((resolve) => shell.once('close', resolve));
  rmSync(cwd, { recursive: true });
  expect([code, output]).toEqual([0, output]);
  return output;
}

/** What is to be pasted of a document: its first block of bash with curl in it. */
function session(document: string): string {
  const blocks = [...readFileSync(document, 'utf8').matchAll(/```bash\n([\s\S]*?)```/g)];
  return blocks.map(([, block = '']) => block).find((block) => block.includes('curl')) ?? '';
}

test("the README's curl session works as it is pasted", async () => {
  const output = await pasted(session('README.md'));
  const [enrolled, verified, identified, consent, withdrawn, ...audit] = output.trim().split('\n');
  expect(JSON.parse(enrolled ?? '')).toEqual({ id: expect.any(String) });
  expect(JSON.parse(verified ?? '')).toEqual({ match: true });
  expect(JSON.parse(identified ?? '').candidates).toHaveLength(1);
  expect(JSON.parse(consent ?? '').state).toBe('withdrawn');
  expect(JSON.parse(withdrawn ?? '')).toEqual({ candidates: [] });
  expect(audit).toEqual(expect.arrayContaining(['subject.verified match', 'consent.withdrawn ok']));
});

test('the five jobs of docs/jobs.md work as they are pasted after it', async () => {
  const output = await pasted(`{ ${session('README.md')} } >/dev/null\n${session('docs/jobs.md')}`);
  const lines = output.split('\n').filter((line) => line.startsWith('{"item"'));
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { outcome: 'done', templateId: expect.any(String) },
    { outcome: 'done', templateId: expect.any(String) },
    { outcome: 'done', candidates: [{ subjectId: expect.any(String) }] },
    { outcome: 'done', candidates: [{ subjectId: expect.any(String) }] },
    { outcome: 'done', templateId: expect.any(String) },
    { outcome: 'done', templateId: expect.any(String) },
    { outcome: 'done', templates: 1, rows: { templates: 0 }, pads: { usable: 0 } },
  ]);
});

test('the session of docs/compliance/rights.md works as it is pasted after it, to the verified proof', async () => {
  const rights = session('docs/compliance/rights.md').replace('libs/', `${process.cwd()}/libs/`);
  const output = await pasted(`{ ${session('README.md')} } >/dev/null\n${rights}`);
  expect(output).toContain('"erased"');
  expect(output).toContain('"state":"fulfilled"');
});

test('the consent and the receipt of docs/compliance/consent.md work as they are pasted after it', async () => {
  const script = session('docs/compliance/consent.md').replace('node libs/', `node ${process.cwd()}/libs/`);
  const output = await pasted(`{ ${session('README.md')} } >/dev/null\n${script}`);
  expect(output).toContain('"schema_version": "ISO/IEC TS 27560:2023"');
  expect(output).toContain('genuine: consent-receipt+jwt');
  expect(JSON.parse(output.trim().split('\n').at(-1) ?? '').state).toBe('withdrawn');
});

test('docs/jobs.md lists every code by which a job or an item is refused or fails', () => {
  const lines = readFileSync('docs/jobs.md', 'utf8').split('\n');
  const listed = lines.filter((line) => line.startsWith('| `')).map((line) => line.replaceAll(/ +/g, ' '));
  const codes = Object.entries({ ...INPUT_REFUSALS, ...ITEM_REFUSALS, ...ITEM_FAILURES });
  expect(listed.filter((line) => !JOB_TYPES.some((type) => line.startsWith(`| \`${type}\``)))).toEqual(
    codes.map(([code, means]) => `| \`${code}\` | ${means} |`),
  );
});

test('every link in the documents leads somewhere, and every file that they name exists', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md')];
  const dead = documents.flatMap((document) => {
    const text = readFileSync(document, 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g)].map(([, to = '']) =>
      join(dirname(document), to),
    );
    // A placeholder such as <name> names no file, and the worked example names one that a reader is to write.
    const files = [...text.matchAll(/`((?:apps|libs|infra|test|bench|docs)\/[\w./-]+)`/g)]
      .map(([, path = '']) => path)
      .filter((path) => !path.includes('rename-gallery'));
    return [...links, ...files].filter((path) => !existsSync(path)).map((path) => `${document}: ${path}`);
  });
  expect(documents.length).toBeGreaterThan(10);
  expect(dead).toEqual([]);
});
