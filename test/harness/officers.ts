import { Secret, TOTP } from 'otpauth';
import { velum } from './operator.js';
import type { Stack } from './stack.js';
import { ok } from './story.js';
import { type Answer, TestClient } from './test-client.js';

export const PASSWORD = 'violet tram under glass';

let count = 0;

/** A person who enrolled and can log in, as an operator and the person do it. */
export interface Officer {
  readonly id: string;
  readonly email: string;
  readonly totpSecret: string;
  readonly recoveryCodes: readonly string[];
}

/** What the authenticator app shows now, or so many steps of 30 seconds from now. */
export function totpCode(secret: string, steps = 0): string {
  const timestamp = Date.now() + steps * 30_000;
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp });
}

export async function inviteOfficer(
  stack: Pick<Stack, 'env'>,
  scopes = 'admin:audit,admin:compliance,admin:keys',
  email = `officer-${process.pid}-${++count}@example.in`,
): Promise<{ readonly officerId: string; readonly email: string; readonly enrolmentCode: string }> {
  const args = ['officers', 'create', '--name', 'Meera Nair', '--email', email, '--scopes', scopes, '--json'];
  const { code, stdout, stderr } = await velum(stack.env, args);
  if (code !== 0) throw new Error(stderr);
  return { ...JSON.parse(stdout), email };
}

export async function enrolOfficer(stack: Pick<Stack, 'env' | 'url'>, scopes?: string): Promise<Officer> {
  const { officerId: id, email, enrolmentCode: code } = await inviteOfficer(stack, scopes);
  const nobody = new TestClient(stack.url, '');
  const { totpSecret, recoveryCodes } = ok(
    await nobody.post('/v1/officers/enrolment', { code, password: PASSWORD }),
  );
  ok(await nobody.post('/v1/officers/enrolment/confirmation', { code, totp: totpCode(totpSecret) }));
  return { id, email, totpSecret, recoveryCodes };
}

export function logIn(url: string, { email, totpSecret }: Officer, change: object = {}): Promise<Answer> {
  const body = { email, password: PASSWORD, totp: totpCode(totpSecret), ...change };
  return new TestClient(url, '').post('/v1/officers/sessions', body);
}

/** The app's code of this half minute was not used yet, as if the officer had waited for the next one. */
export async function nextCode(stack: Stack, { id }: Pick<Officer, 'id'>): Promise<void> {
  await stack.owner.query('UPDATE officer SET totp_step = NULL WHERE id = $1', [id]);
}

export interface ActingOfficer {
  readonly officer: Officer;
  readonly client: TestClient;
  readonly sessionToken: string;
}

/** Creates, enrols and logs in. */
export async function actingOfficer(stack: Stack, scopes?: string): Promise<ActingOfficer> {
  return logInAnew(stack, await enrolOfficer(stack, scopes));
}

export async function logInAnew(stack: Stack, officer: Officer): Promise<ActingOfficer> {
  await nextCode(stack, officer);
  const { accessToken, sessionToken } = ok(await logIn(stack.url, officer));
  return { officer, client: new TestClient(stack.url, accessToken), sessionToken };
}
