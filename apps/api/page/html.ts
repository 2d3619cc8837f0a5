/** A piece of a page; what is put into it was escaped. */
export class Html {
  constructor(readonly text: string) {}
}

type Shown = string | number | boolean | Date | null | undefined | Html | readonly Html[];

/** The template of a page: every value is escaped unless it is a piece of a page itself. */
export function html(parts: TemplateStringsArray, ...values: readonly Shown[]): Html {
  return new Html(parts.reduce((page, part, i) => page + show(values[i - 1]) + part));
}

function show(value: Shown): string {
  if (value instanceof Html) return value.text;
  if (isList(value)) return value.map(show).join('\n');
  if (value instanceof Date) return value.toISOString();
  return escape(String(value ?? ''));
}

function isList(value: Shown): value is readonly Html[] {
  return Array.isArray(value);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

// Enough for text and for attributes in quotes, which is where templates put values (OWASP, XSS prevention, rules 1 and 2).
function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
