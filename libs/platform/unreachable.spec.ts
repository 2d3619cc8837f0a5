import { QueryFailedError } from 'typeorm';
import { expect, test } from 'vitest';
import { isUnreachable } from './unreachable.js';

const coded = (code: string): Error => Object.assign(new Error('of a driver'), { code });

test.each([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  '57P01',
  '08006',
  '53300',
])('%s passes by itself', (code) => {
  expect(isUnreachable(coded(code))).toBe(true);
  expect(isUnreachable(new QueryFailedError('SELECT 1', [], coded(code)))).toBe(true);
});

test.each(['23505', '42P01', 'ERR_INVALID_ARG_TYPE'])('%s does not', (code) => {
  expect(isUnreachable(coded(code))).toBe(false);
});

test('a connection that pg lost has no code', () => {
  expect(isUnreachable(new Error('Connection terminated unexpectedly'))).toBe(true);
  expect(isUnreachable(new Error('Connection is bad'))).toBe(false);
});
