import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const FILE = 'docs/benchmarks.md';
const HEAD = `# Benchmarks

Each part is written by the command that it names, in one run. Compare its lines with one another, not with another
machine's.
`;

/** Replaces one part of docs/benchmarks.md; the parts of other commands stay. */
export function writeSection(name: string, text: string): void {
  const [open, close] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const part = `${open}\n\n${text.trim()}\n\n${close}\n`;
  const document = existsSync(FILE) ? readFileSync(FILE, 'utf8') : HEAD;
  const known = document.startsWith(HEAD) ? document : HEAD;
  const from = known.indexOf(open);
  const to = known.indexOf(close);
  const whole =
    from === -1 || to === -1
      ? `${known}\n${part}`
      : known.slice(0, from) + part + known.slice(to + close.length).replace(/^\n/, '');
  writeFileSync(FILE, whole);
  console.log(`Written to ${FILE}.`);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map(tableLine).join('\n');
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
