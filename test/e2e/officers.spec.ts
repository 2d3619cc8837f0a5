import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  enrolOfficer,
  inviteOfficer,
  logIn,
  nextCode,
  type Officer,
  PASSWORD,
  totpCode,
} from '../harness/officers.js';
import { velum } from '../harness/operator.js';
import { Stack } from '../harness/stack.js';
import { ok } from '../harness/story.js';
import { type Answer, TestClient } from '../harness/test-client.js';

const CODE = /^[\w-]{43}$/;

let stack: Stack;
let nobody: TestClient;
let officer: Officer;

beforeAll(async () => {
  stack = await Stack.start();
  nobody = new TestClient(stack.url, '');
  officer = await enrolOfficer(stack);
});

afterAll(() => stack.stop());

beforeEach(async () => {
  await stack.owner.query('DELETE FROM officer_login_attempt');
  await nextCode(stack, officer);
});

const enrol = (code: string, password = PASSWORD): Promise<Answer> =>
  nobody.post('/v1/officers/enrolment', { code, password });
async function events(type: string): Promise<{ outcome: string; code: string | null; details: object }[]> {
  const { rows } = await stack.owner.query(
    'SELECT outcome, code, details FROM audit_event WHERE type = $1 ORDER BY id',
    [type],
  );
  return rows;
}

describe('enrolling', () => {
  test('an operator invites a person, who chooses a password, sets the app up and logs in', async () => {
    const person = ['--name', 'Ada Byron', '--email', 'Ada@Example.in'];
    const scopes = ['--scopes', 'admin:audit,admin:compliance'];
    const invited = await velum(stack.env, ['officers', 'create', ...person, ...scopes]);
    const code = /Enrolment code: (\S+)/.exec(invited.stdout)?.[1] ?? '';
    expect(code).toMatch(CODE);
    const { officerId: id, totpSecret, totpUri, recoveryCodes } = ok(await enrol(code));
    expect(new URL(totpUri).searchParams.get('secret')).toBe(totpSecret);
    expect(decodeURIComponent(new URL(totpUri).pathname)).toContain('Ada@Example.in');
    expect(new Set(recoveryCodes).size).toBe(10);
    const ada = { id, email: 'ada@example.in', totpSecret, recoveryCodes };
    expect((await logIn(stack.url, ada)).body.code).toBe('login_refused');
    ok(await nobody.post('/v1/officers/enrolment/confirmation', { code, totp: totpCode(totpSecret) }));
    await nextCode(stack, { id });
    const session = ok(await logIn(stack.url, ada));
    expect(session).toMatchObject({ officerId: id, expiresIn: 600, scope: 'admin:audit admin:compliance' });
    const listed = await velum(stack.env, ['officers', 'list']);
    expect(listed.stdout).toContain(`${id}  active    Ada Byron <Ada@Example.in>`);
  });

  test('until the app is confirmed it can be begun anew; then the code is used up', async () => {
    const { enrolmentCode: code } = await inviteOfficer(stack);
    const first = ok(await enrol(code));
    const second = ok(await enrol(code));
    expect(second.totpSecret).not.toBe(first.totpSecret);
    const confirm = (totp: string): Promise<Answer> =>
      nobody.post('/v1/officers/enrolment/confirmation', { code, totp });
    expect((await confirm(totpCode(first.totpSecret))).body.code).toBe('totp_invalid');
    expect((await confirm(totpCode(second.totpSecret))).status).toBe(204);
    expect((await enrol(code)).body.code).toBe('enrolment_refused');
    expect((await confirm(totpCode(second.totpSecret))).body.code).toBe('enrolment_refused');
  });

  test('a code counts for 24 hours, and one that nobody was given not at all', async () => {
    const { enrolmentCode, officerId } = await inviteOfficer(stack);
    await stack.owner.query(
      `UPDATE officer SET enrolment_expires_at = enrolment_expires_at - interval '24 hours' WHERE id = $1`,
      [officerId],
    );
    expect((await enrol(enrolmentCode)).body.code).toBe('enrolment_refused');
    expect((await enrol('x'.repeat(43))).body.code).toBe('enrolment_refused');
    expect((await events('officer.enrolment_refused')).at(-1)?.code).toBe('enrolment_refused');
  });

  test('a password that is short, common or holds the address is refused', async () => {
    const { enrolmentCode, email } = await inviteOfficer(stack);
    for (const password of ['short', 'Password1234!', `my ${email} word`]) {
      expect((await enrol(enrolmentCode, password)).body.code).toBe('password_refused');
    }
    ok(await enrol(enrolmentCode, 'मेरा घोड़ा उड़ता है'));
  });

  test('an address is one officer’s, however it is written', async () => {
    const person = ['--name', 'Twin', '--email', officer.email.toUpperCase(), '--scopes', 'admin:audit'];
    const other = await velum(stack.env, ['officers', 'create', ...person]);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('reset the account');
  });

  test('a scope that lets act for clients is not given to officers', async () => {
    for (const scopes of ['faces:identify', 'admin:clients', 'admin:audit,root']) {
      await expect(inviteOfficer(stack, scopes)).rejects.toThrow('Scopes are');
    }
  });

  test('name, address, secret and codes cannot be read in the database', async () => {
    const { rows } = await stack.owner.query('SELECT o::text AS row FROM officer o');
    const { rows: codes } = await stack.owner.query('SELECT c::text AS row FROM officer_recovery_code c');
    const all = [...rows, ...codes].map(({ row }) => row).join('\n');
    for (const secret of [
      officer.email,
      officer.totpSecret,
      'Meera',
      officer.recoveryCodes[0] ?? '',
      PASSWORD,
    ]) {
      expect(all.includes(secret) || all.includes(Buffer.from(secret).toString('hex'))).toBe(false);
    }
    expect(stack.log).not.toContain(officer.email);
  });
});

describe('logging in', () => {
  test('whatever is wrong, the answer is the same: unknown address, wrong password, wrong code, disabled', async () => {
    const gone = await enrolOfficer(stack);
    await velum(stack.env, ['officers', 'disable', gone.id]);
    const answers = [
      await logIn(stack.url, officer, { email: 'nobody@example.in' }),
      await logIn(stack.url, officer, { password: 'another long password' }),
      await logIn(stack.url, officer, { totp: totpCode(officer.totpSecret, 10) }),
      await logIn(stack.url, officer, { totp: undefined, recoveryCode: 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA' }),
      await logIn(stack.url, gone),
    ];
    const shapes = answers.map(({ status, headers, body }) => ({
      status,
      body: { ...body, requestId: '' },
      headers: [...headers.keys()].toSorted(),
    }));
    expect(new Set(shapes.map((shape) => JSON.stringify(shape))).size).toBe(1);
    expect(shapes[0]).toMatchObject({ status: 403, body: { code: 'login_refused' } });
  });

  test('nor does the time tell: an unknown address is as much work as a wrong password', async () => {
    const wrong = { password: 'another long password' };
    const changes = { known: wrong, unknown: { ...wrong, email: 'nobody@example.in' } };
    const worked = { known: 0, unknown: 0 };
    await logIn(stack.url, officer, changes.unknown);
    for (let i = 0; i < 15; i++) {
      for (const who of ['known', 'unknown'] as const) {
        await stack.owner.query('DELETE FROM officer_login_attempt');
        const before = processorTicks();
        await logIn(stack.url, officer, changes[who]);
        worked[who] += processorTicks() - before;
      }
    }
    const { known, unknown } = worked;
    // Argon2id is some 20 ms of work: whoever left it out would have a fraction of it.
    expect(Math.max(known, unknown) / Math.min(known, unknown)).toBeLessThan(1.8);
  });

  test('a code of the app counts once, also when it is sent twice at once, and an older one never again', async () => {
    const totp = totpCode(officer.totpSecret);
    const [one, other] = await Promise.all([
      logIn(stack.url, officer, { totp }),
      logIn(stack.url, officer, { totp }),
    ]);
    expect(new Set([one.status, other.status])).toEqual(new Set([201, 403]));
    expect((await logIn(stack.url, officer, { totp: totpCode(officer.totpSecret, -1) })).status).toBe(403);
    expect((await logIn(stack.url, officer, { totp: totpCode(officer.totpSecret, 1) })).status).toBe(201);
  });

  test('a recovery code counts once, however it is typed', async () => {
    const own = await enrolOfficer(stack);
    const [code = ''] = own.recoveryCodes;
    const typed = code.toLowerCase().replaceAll('-', ' ');
    expect((await logIn(stack.url, own, { totp: undefined, recoveryCode: typed })).status).toBe(201);
    expect((await logIn(stack.url, own, { totp: undefined, recoveryCode: code })).status).toBe(403);
    const others = { totp: undefined, recoveryCode: own.recoveryCodes[1] };
    expect((await logIn(stack.url, officer, others)).status).toBe(403);
  });

  test('members that are none, other types and both factors are refused before anything is looked up', async () => {
    const both = { recoveryCode: officer.recoveryCodes[0] };
    for (const change of [
      { scopes: ['admin:keys'] },
      { password: { $ne: 1 } },
      { email: [officer.email] },
      both,
    ]) {
      expect((await logIn(stack.url, officer, change)).status).toBe(400);
    }
    const injected = `x'--@example.in`;
    expect((await logIn(stack.url, officer, { email: injected })).status).toBe(403);
  });

  test('five failures lock the account from that address: even what is right is refused the same, then let in after the wait', async () => {
    const wrong = { password: 'another long password' };
    const failures: string[] = [];
    for (let i = 0; i < 5; i++) failures.push((await logIn(stack.url, officer, wrong)).body.detail);
    const locked = await logIn(stack.url, officer);
    expect([locked.status, locked.body.code, locked.body.detail]).toEqual([
      403,
      'login_refused',
      failures[0],
    ]);
    expect((await events('officer.locked')).at(-1)?.details).toEqual({ officerId: officer.id });
    expect(stack.log).toContain('officer_locked');
    await waited(30);
    expect((await logIn(stack.url, officer)).status).toBe(201);
    expect((await logIn(stack.url, officer, wrong)).status).toBe(403);
    await nextCode(stack, officer);
    expect((await logIn(stack.url, officer)).status).toBe(201);
  });

  test('each further failure locks for twice as long', async () => {
    const wrong = { password: 'another long password' };
    for (let i = 0; i < 5; i++) await logIn(stack.url, officer, wrong);
    for (const [wait, next] of [
      [30, 60],
      [60, 120],
      [120, 240],
    ] as const) {
      await waited(wait);
      await logIn(stack.url, officer, wrong);
      await waited(next - 5);
      expect((await logIn(stack.url, officer)).status).toBe(403);
      await waited(-(next - 5));
    }
  });

  test('of many guesses at once no more are looked at than one after the other', async () => {
    await Promise.all(
      Array.from({ length: 12 }, () => logIn(stack.url, officer, { password: 'another long password' })),
    );
    const { rows } = await stack.owner.query('SELECT max(failures)::int AS most FROM officer_login_attempt');
    expect(rows[0].most).toBe(5);
    expect((await logIn(stack.url, officer)).status).toBe(403);
  });

  test('who is locked out from one address can log in from another', async () => {
    const elsewhere = await stack.startApi({ TRUSTED_PROXIES: 'loopback' });
    const from = (ip: string, change: object = {}): Promise<Answer> => {
      const body = {
        email: officer.email,
        password: PASSWORD,
        totp: totpCode(officer.totpSecret),
        ...change,
      };
      return new TestClient(elsewhere.url, '').send('POST', '/v1/officers/sessions', body, {
        'x-forwarded-for': ip,
      });
    };
    for (let i = 0; i < 6; i++) await from('192.0.2.1', { password: 'another long password' });
    expect((await from('192.0.2.1')).status).toBe(403);
    expect((await from('192.0.2.2')).status).toBe(201);
    // Who tries one account after the other is stopped by address.
    for (let i = 0; i < 20; i++) await from('192.0.2.3', { email: `nobody-${i}@example.in` });
    await nextCode(stack, officer);
    expect((await from('192.0.2.3')).status).toBe(403);
  });

  test('every refusal is in the audit log, of unknown addresses as well, with no address in it', async () => {
    const before = (await events('officer.login_refused')).length;
    await logIn(stack.url, officer, { email: 'nobody@example.in' });
    await logIn(stack.url, officer, { password: 'another long password' });
    const [unknown, known] = (await events('officer.login_refused')).slice(before);
    expect(unknown).toEqual({ outcome: 'refused', code: 'login_refused', details: {} });
    expect(known).toEqual({ outcome: 'refused', code: 'login_refused', details: { officerId: officer.id } });
  });
});

/** What the API has worked, in all of its threads: on a busy machine clocks also count what others do. See proc(5). */
function processorTicks(): number {
  const stat = readFileSync(`/proc/${stack.apis[0]?.pid}/stat`, 'utf8');
  // The name, which may hold blanks, is before the last bracket; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** So many seconds have gone by for whoever is locked. */
async function waited(seconds: number): Promise<void> {
  await stack.owner.query(
    `UPDATE officer_login_attempt SET locked_until = locked_until - make_interval(secs => $1),
       failed_at = failed_at - make_interval(secs => $1)`,
    [seconds],
  );
}
