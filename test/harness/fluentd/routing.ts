import { only, readConfiguration, required, type Section } from './configuration.js';

export type FluentRecord = Readonly<Record<string, unknown>>;

/** A line that an output of the configuration would write. */
export interface Delivery {
  /** The output's plugin, `elasticsearch` or `file`. */
  readonly type: string;
  /** Its index or its path. */
  readonly target: string;
  readonly record: FluentRecord;
}

/**
 * What infra/fluentd/fluent.conf does with an event that comes to its forward source: Fluentd's rules of routing
 * (docs.fluentd.org: filters up to the first match, labels, copy) for the plugins named there, and an error for others.
 */
export class Routing {
  private readonly root: Section;
  private readonly label: string;

  constructor(path: string) {
    this.root = readConfiguration(path);
    const forward = this.root.sections.find(
      (section) => section.name === 'source' && required(section, '@type') === 'forward',
    );
    if (forward === undefined) throw new Error('nothing takes what Docker sends');
    this.label = required(forward, '@label');
  }

  deliver(tag: string, record: FluentRecord): Delivery[] {
    return this.emit(this.label, tag, record);
  }

  private emit(label: string, tag: string, record: FluentRecord): Delivery[] {
    const section = this.root.sections.find(({ name, argument }) => name === 'label' && argument === label);
    if (section === undefined) throw new Error(`there is no label ${label}`);
    let current: FluentRecord | undefined = record;
    for (const rule of section.sections) {
      if (!matches(rule.argument, tag)) continue;
      if (rule.name === 'match') return this.output(rule, label, tag, current);
      current = filter(rule, tag, current);
      if (current === undefined) return [];
    }
    throw new Error(`in ${label} nothing takes ${tag}`);
  }

  private output(rule: Section, label: string, tag: string, record: FluentRecord): Delivery[] {
    const type = required(rule, '@type');
    switch (type) {
      case 'copy':
        return rule.sections
          .filter(({ name }) => name === 'store')
          .flatMap((store) => this.output(store, label, tag, record));
      case 'relabel':
        return this.emit(required(rule, '@label'), tag, record);
      case 'rewrite_tag_filter': {
        const found = rule.sections.find((inner) =>
          expression(required(inner, 'pattern')).test(textOf(record, required(inner, 'key'))),
        );
        return found === undefined ? [] : this.emit(label, required(found, 'tag'), record);
      }
      case 'null':
        return [];
      case 'elasticsearch':
        return [
          {
            type,
            target: required(rule, 'index_name'),
            record: without(record, required(rule, 'remove_keys')),
          },
        ];
      case 'file':
        return [{ type, target: required(rule, 'path'), record }];
      default:
        throw new Error(`an output of the type ${type}`);
    }
  }
}

function filter(rule: Section, tag: string, record: FluentRecord): FluentRecord | undefined {
  const type = required(rule, '@type');
  switch (type) {
    case 'parser': {
      const key = required(rule, 'key_name');
      const parsed = parse(only(rule, 'parse'), textOf(record, key));
      // With reserve_data a line that cannot be parsed stays as it was; with remove_key_name_field no other does.
      return parsed === undefined ? record : { ...without(record, key), ...parsed };
    }
    case 'record_transformer': {
      const kept = required(rule, 'keep_keys').split(',');
      const added = [...only(rule, 'record').parameters].map(([name, value]) => [
        name,
        expand(value, tag, record),
      ]);
      return Object.fromEntries([
        ...Object.entries(record).filter(([name]) => kept.includes(name)),
        ...added,
      ]);
    }
    case 'grep': {
      const wanted = only(rule, 'regexp');
      const value = textOf(record, required(wanted, 'key'));
      return expression(required(wanted, 'pattern')).test(value) ? record : undefined;
    }
    case 'elasticsearch_genid':
      return { ...record, [required(rule, 'hash_id_key')]: 'an id' };
    default:
      throw new Error(`a filter of the type ${type}`);
  }
}

function parse(section: Section, text: string): FluentRecord | undefined {
  const type = required(section, '@type');
  if (type === 'regexp') return expression(required(section, 'expression')).exec(text)?.groups;
  if (type !== 'json') throw new Error(`a parser of the type ${type}`);
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** As Ruby's to_s. */
function textOf(record: FluentRecord, key: string): string {
  const value = record[key];
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

function expand(template: string, tag: string, record: FluentRecord): string {
  return template.replaceAll(
    /\$\{(?:tag_parts\[(\d+)\]|record\["(\w+)"\])\}/g,
    (_, part?: string, key?: string) =>
      part === undefined ? textOf(record, key ?? '') : (tag.split('.')[Number(part)] ?? ''),
  );
}

function without(record: FluentRecord, key: string): FluentRecord {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}

/** Ruby's expressions that we use mean the same here. */
function expression(literal: string): RegExp {
  const [, source] = /^\/(.*)\/$/.exec(literal) ?? [];
  if (source === undefined) throw new Error(`${literal} is no expression`);
  return new RegExp(source);
}

const WILD: Readonly<Record<string, string>> = { '.**': '(\\..+)?', '**': '.*', '*': '[^.]+', '.': '\\.' };

/** `*` is one part of a tag, `**` any number of them; several patterns are parted by spaces. */
function matches(patterns: string, tag: string): boolean {
  return patterns.split(/\s+/).some((pattern) => {
    const source = pattern.replaceAll(/\.\*\*|\*\*|\*|\./g, (part) => WILD[part] ?? part);
    return new RegExp(`^${source}$`).test(tag);
  });
}
