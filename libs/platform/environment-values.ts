import type { Environment } from './secrets.js';

export function oneOf<T extends string>(
  env: Environment,
  name: string,
  allowed: readonly [T, ...T[]],
  faults: string[],
): T {
  const value = env[name];
  if (value === undefined || value === '') return allowed[0];
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) faults.push(`${name} must be one of ${allowed.join(', ')}`);
  return found ?? allowed[0];
}

export function whole(
  env: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number,
  faults: string[],
): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    faults.push(`${name} must be a whole number from ${min} to ${max}`);
  }
  return value;
}

export function list(env: Environment, name: string): string[] {
  return (env[name] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
