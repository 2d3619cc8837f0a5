import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A directive of Fluentd's configuration: `<match tag.**>` with its parameters and what is within it. */
export interface Section {
  readonly name: string;
  readonly argument: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly sections: readonly Section[];
}

interface Open {
  readonly name: string;
  readonly argument: string;
  readonly parameters: Map<string, string>;
  readonly sections: Section[];
}

/** Fluentd's own syntax, version 1, as far as ours uses it; throws at whatever else. */
export function readConfiguration(path: string): Section {
  const root: Open = { name: 'ROOT', argument: '', parameters: new Map(), sections: [] };
  readInto(root, path);
  return root;
}

function readInto(target: Open, path: string): void {
  const open = [target];
  for (const [index, raw] of readFileSync(path, 'utf8').split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const at = `${path}:${index + 1}`;
    const current = open.at(-1) ?? target;
    const [, name, argument = ''] = /^<([a-z_]+)(?:\s+(\S.*?))?\s*>$/.exec(line) ?? [];
    if (name !== undefined) {
      const section: Open = { name, argument, parameters: new Map(), sections: [] };
      current.sections.push(section);
      open.push(section);
    } else if (line.startsWith('</')) {
      if (open.length === 1 || line !== `</${current.name}>`) throw new Error(`${at}: ${line} ends nothing`);
      open.pop();
    } else {
      const [, key = '', value = ''] = /^(\S+)(?:\s+(.*))?$/.exec(line) ?? [];
      if (key === '@include') readInto(current, join(dirname(path), value));
      else if (current.parameters.has(key)) throw new Error(`${at}: ${key} is set twice`);
      else if (/^[^"].* #/.test(value)) throw new Error(`${at}: Fluentd would take the end for a comment`);
      else current.parameters.set(key, value);
    }
  }
  if (open.length > 1) throw new Error(`${path}: <${open.at(-1)?.name}> does not end`);
}

export function required(section: Section, parameter: string): string {
  const value = section.parameters.get(parameter);
  if (value === undefined) throw new Error(`<${section.name} ${section.argument}> has no ${parameter}`);
  return value;
}

export function only(section: Section, name: string): Section {
  const [found, ...others] = section.sections.filter((inner) => inner.name === name);
  if (found === undefined || others.length > 0) throw new Error(`<${section.name}> needs one <${name}>`);
  return found;
}
