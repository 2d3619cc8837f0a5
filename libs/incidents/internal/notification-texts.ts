import type { Duty, EntryKind } from '../incident.js';
import euGdpr from '../texts/eu-gdpr.json' with { type: 'json' };
import general from '../texts/general.json' with { type: 'json' };
import inDpdp from '../texts/in-dpdp.json' with { type: 'json' };
import usIlBipa from '../texts/us-il-bipa.json' with { type: 'json' };

/** Lines by language, by duty; of the jurisdiction null for all that have none of their own. */
export interface TextFile {
  readonly jurisdiction: string | null;
  readonly texts: Readonly<Partial<Record<Duty, Readonly<Record<string, readonly string[]>>>>>;
}

export const TEXT_FILES: readonly TextFile[] = [general, euGdpr, inDpdp, usIlBipa];

const FALLBACK = 'en';
const NOT_KNOWN = '—';

/** What a text tells; undefined: not known yet. */
export type TextFacts = Readonly<
  Partial<
    Record<Exclude<EntryKind, 'action'> | 'title' | 'description' | 'occurred' | 'known' | 'law', string>
  >
> & {
  readonly authority: string;
  readonly subjects: string;
  readonly intimations: string;
};

export interface RenderedText {
  /** That of the template: English where there is none in the one that was asked for. */
  readonly language: string;
  readonly text: string;
  /** What the text has a place for and nobody has written down yet. */
  readonly missing: readonly string[];
}

export function languagesOf(jurisdiction: string, duty: Duty): string[] {
  return Object.keys(templatesOf(jurisdiction, duty)).toSorted();
}

/** `facts` is asked for those in the language that the template turns out to have. */
export function renderText(
  jurisdiction: string,
  duty: Duty,
  wanted: string,
  facts: (language: string) => TextFacts,
): RenderedText {
  const templates = templatesOf(jurisdiction, duty);
  const language = Object.hasOwn(templates, wanted) ? wanted : FALLBACK;
  const known = new Map(Object.entries(facts(language)));
  const missing = new Set<string>();
  // In one pass: what officers write is never taken for a place in the template.
  const text = (templates[language] ?? []).join('\n').replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = known.get(name);
    if (value === undefined) missing.add(name);
    return value ?? NOT_KNOWN;
  });
  return { language, text, missing: [...missing] };
}

function templatesOf(jurisdiction: string, duty: Duty): Readonly<Record<string, readonly string[]>> {
  return fileOf(jurisdiction)?.texts[duty] ?? fileOf(null)?.texts[duty] ?? {};
}

function fileOf(jurisdiction: string | null): TextFile | undefined {
  return TEXT_FILES.find((file) => file.jurisdiction === jurisdiction);
}
