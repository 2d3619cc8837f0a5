import 'reflect-metadata';
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { after } from './duration.js';
import { readPolicy } from './policy-document.js';
import { PolicyInvalid } from './policy.errors.js';
import { retentionFor } from './retention-rules.js';

const folder = 'libs/policy/jurisdictions';
const files = readdirSync(folder);

function content(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'));
}

test.each(files)('%s is a valid policy, every rule with its source', (file) => {
  const policy = readPolicy(content(file));
  expect(`${policy.code.toLowerCase()}.json`).toBe(file);
});

test('DPDP names the 22 scheduled languages', () => {
  expect(readPolicy(content('in-dpdp.json')).notice.languages.value).toHaveLength(22);
});

function faultsOf(policy: object): readonly string[] {
  try {
    readPolicy(policy);
    return [];
  } catch (error) {
    if (!(error instanceof PolicyInvalid)) throw error;
    return [...new Set(error.fields.map(({ field }) => field))].sort();
  }
}

test('a policy that is not one is refused with the members at fault', () => {
  const good = content('eu-gdpr.json');
  const consent = content('eu-gdpr.json')['consent'];
  expect(faultsOf({ ...good, code: 'eu' })).toEqual(['code']);
  expect(faultsOf({ ...good, extra: 1 })).toEqual(['extra']);
  expect(faultsOf({ ...good, rights: { access: { value: { due: '1 month', extension: null } } } })).toEqual([
    'rights.access.source',
    'rights.access.value.due',
  ]);
  expect(faultsOf({ ...good, consent: { ...Object(consent), adultAge: { value: 18, source: '' } } })).toEqual(
    ['consent.adultAge.source'],
  );
  expect(() => readPolicy([])).toThrow(PolicyInvalid);
  expect(() => readPolicy(null)).toThrow(PolicyInvalid);
});

/** That of the EU with these rules by purpose. */
function apart(byPurpose: unknown): Record<string, unknown> {
  const policy = content('eu-gdpr.json');
  return { ...policy, retention: { ...Object(policy['retention']), byPurpose } };
}

test('a purpose may have retention rules of its own, and they are checked as the others are', () => {
  const rule = { value: 'P1Y', source: 'section 7' };
  const policy = readPolicy(apart({ access_control: { afterEnd: rule } }));
  expect(retentionFor(policy.retention, 'access_control').afterEnd.value).toBe('P1Y');
  expect(retentionFor(policy.retention, 'access_control').logs).toEqual(policy.retention.logs);
  expect(retentionFor(policy.retention, 'audit').afterEnd.value).toBe('P0D');
  expect(retentionFor(policy.retention, 'constructor').afterEnd.value).toBe('P0D');
  // What was stored is read again.
  expect(readPolicy(JSON.parse(JSON.stringify(policy))).retention.byPurpose).toEqual(
    policy.retention.byPurpose,
  );

  const at = 'retention.byPurpose';
  expect(faultsOf(apart([]))).toEqual([at]);
  expect(faultsOf(apart({ 'No Purpose': { afterEnd: rule } }))).toEqual([`${at}.No Purpose`]);
  expect(faultsOf(apart({ audit: {} }))).toEqual([`${at}.audit`]);
  expect(faultsOf(apart({ audit: null }))).toEqual([`${at}.audit`]);
  expect(faultsOf(apart({ audit: { afterEnd: { value: 'a year' } } }))).toEqual([
    `${at}.audit.afterEnd.source`,
    `${at}.audit.afterEnd.value`,
  ]);
  expect(faultsOf(apart({ audit: { logs: rule } }))).toEqual([`${at}.audit.logs`]);
  expect(faultsOf(apart({ audit: { afterErasureRequest: rule } }))).toEqual([
    `${at}.audit.afterErasureRequest`,
  ]);
});

test('a month from the last of January is over on the last of February', () => {
  expect(after(new Date('2027-01-31T10:00:00Z'), 'P1M').toISOString()).toBe('2027-02-28T10:00:00.000Z');
  expect(after(new Date('2026-11-24T10:00:00Z'), 'PT72H').toISOString()).toBe('2026-11-27T10:00:00.000Z');
  expect(after(new Date('2026-11-24T10:00:00Z'), 'P0D').toISOString()).toBe('2026-11-24T10:00:00.000Z');
});

/** Of an object and all that is in it. */
function membersOf(value: object, path: readonly string[] = []): (readonly string[])[] {
  return Object.entries(value).flatMap(([name, member]) => {
    const here = [...path, name];
    const inside = typeof member === 'object' && member !== null && !Array.isArray(member);
    return [here, ...(inside ? membersOf(member, here) : [])];
  });
}

function changed(value: object, [name = '', ...rest]: readonly string[], instead: unknown): object {
  const { [name]: member, ...others } = Object.fromEntries(Object.entries(value));
  if (rest.length > 0) return { ...others, [name]: changed(Object(member), rest, instead) };
  return instead === undefined ? others : { ...others, [name]: instead };
}

/** Members that policies of before lack. */
const ADDED = ['consent.withdrawal', 'consent.proof', 'records'];

/** A right that is left out is not offered; a duty without a risk is always one. */
function isOptional(path: readonly string[]): boolean {
  return (
    path.at(-1) === 'fromRisk' ||
    (path[0] === 'rights' && path.length === 2) ||
    ADDED.includes(path.join('.'))
  );
}

test.each(files)(
  '%s says how a consent is withdrawn and proved, and which record is kept, as counsel must confirm',
  (file) => {
    const { consent, records } = readPolicy(content(file));
    for (const rule of [consent.withdrawal, consent.proof, records?.processing]) {
      expect(rule?.source).toMatch(/counsel must confirm$/);
    }
  },
);

test('withdrawing is as easy as giving by the GDPR and the DPDP Act, and the GDPR asks for a record of processing', () => {
  const [gdpr, dpdp] = ['eu-gdpr.json', 'in-dpdp.json'].map((file) => readPolicy(content(file)));
  expect(gdpr?.consent.withdrawal).toMatchObject({
    value: 'as_easy_as_giving',
    source: expect.stringContaining('Art. 7(3)'),
  });
  expect(dpdp?.consent.withdrawal).toMatchObject({
    value: 'as_easy_as_giving',
    source: expect.stringContaining('6(4)'),
  });
  expect(gdpr?.records?.processing).toMatchObject({
    value: true,
    source: expect.stringContaining('Art. 30'),
  });
});

test.each(files)('%s without any one of its members is no policy, nor with a list in its place', (file) => {
  const policy = content(file);
  for (const path of membersOf(policy)) {
    if (!isOptional(path))
      expect([path, faultsOf(changed(policy, path, undefined)).length > 0]).toEqual([path, true]);
    const lists = path.at(-1) === 'value' && (path[1] === 'items' || path[1] === 'languages');
    if (!lists) expect([path, faultsOf(changed(policy, path, [])).length > 0]).toEqual([path, true]);
  }
});

test('a time that no date can be moved by is none', () => {
  const path = ['retention', 'afterEnd', 'value'];
  expect(faultsOf(changed(content('eu-gdpr.json'), path, 'P9999Y'))).toEqual(['retention.afterEnd.value']);
  expect(
    after(new Date('2026-11-24T10:00:00Z'), 'P99Y999M9999W99999DT999999H').getUTCFullYear(),
  ).toBeLessThan(3_026);
});
