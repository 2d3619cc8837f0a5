import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DUTIES, ENTRY_KINDS } from '../incident.js';
import { languagesOf, renderText, TEXT_FILES, type TextFacts } from './notification-texts.js';

const COUNTED = { authority: 'the Board', subjects: '7', intimations: '3 of 7' };
const PLACES = new Set<string>([
  ...ENTRY_KINDS.filter((kind) => kind !== 'action'),
  'title',
  'description',
  'occurred',
  'known',
  'law',
  'authority',
  'subjects',
  'intimations',
]);

test('every text has places only for what an incident can tell, and exists in English', () => {
  for (const { jurisdiction, texts } of TEXT_FILES) {
    for (const [duty, languages] of Object.entries(texts)) {
      expect([jurisdiction, duty, Object.keys(languages)]).toEqual([
        jurisdiction,
        duty,
        expect.arrayContaining(['en']),
      ]);
      const places = Object.values(languages).flatMap((lines) =>
        lines.join('\n').match(/(?<=\{\{)\w+(?=\}\})/g),
      );
      expect(places.filter((place) => place === null || !PLACES.has(place))).toEqual([]);
    }
  }
});

test('a jurisdiction without texts of its own gets the general ones, for each duty', () => {
  for (const duty of DUTIES) {
    expect(languagesOf('BR-LGPD', duty)).toEqual(['en']);
    expect(renderText('BR-LGPD', duty, 'pt-BR', () => COUNTED).language).toBe('en');
  }
});

test('the persons of India are told in Hindi as well, with the same facts', () => {
  expect(languagesOf('IN-DPDP', 'persons')).toEqual(['en', 'hi']);
  const facts: TextFacts = { ...COUNTED, contact: 'dpo@example.com' };
  const hindi = renderText('IN-DPDP', 'persons', 'hi', () => facts);
  expect(hindi.language).toBe('hi');
  expect(hindi.text).toMatch(/उल्लंघन की सूचना[\s\S]*dpo@example\.com/);
  expect(hindi.missing).toEqual(['facts', 'occurred', 'location', 'consequences', 'measures', 'advice']);
});

test('what officers write stands in the text as it is, whatever it looks like', () => {
  fc.assert(
    fc.property(fc.string(), (written) => {
      for (const contact of [written, '{{facts}}', '$&', `${written}{{contact}}$1`]) {
        const { text, missing } = renderText('EU-GDPR', 'persons', 'en', () => ({
          ...COUNTED,
          contact,
        }));
        expect(text.endsWith(`contact point: ${contact}`)).toBe(true);
        expect(missing).toEqual(['facts', 'occurred', 'consequences', 'measures']);
      }
    }),
  );
});
