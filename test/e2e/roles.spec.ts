import { SEALED_COLUMNS } from '#platform/sealed-columns';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Stack } from '../harness/stack.js';

type Role = 'velum_app' | 'velum_worker' | 'velum_custodian' | 'velum_backup';

const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;

/** By its first letter what a role may do to a table; columns that it may update, where these are not all. */
type Grants = Readonly<Partial<Record<Role, string>>>;

const READ = { velum_backup: 'S' } as const;

/** Every table of the database has a line: whoever adds one decides here who needs it. */
const TABLES: Readonly<Record<string, Grants>> = {
  'public.schema_migration': { ...READ },
  'public.client': { ...READ, velum_app: 'SI U(disabled_at, secret_hash)', velum_worker: 'S' },
  'public.revoked_token': { ...READ, velum_app: 'SI', velum_worker: 'SD' },
  'public.idempotency_key': { ...READ, velum_app: 'SI', velum_worker: 'SD' },
  'public.outbox': { ...READ, velum_app: 'SI', velum_worker: 'SID U(done_at, relayed_at)' },
  'public.subject': {
    ...READ,
    velum_app:
      'SI U(adult_from, erased_at, jurisdiction, last_seen_at, reference, reference_index, restricted_at)',
    velum_worker: 'S U(adult_from, erased_at, last_seen_at, reference, reference_index)',
  },
  'public.jurisdiction_policy': { ...READ, velum_app: 'SI', velum_worker: 'S' },
  'public.statement_key': {
    ...READ,
    velum_app: 'SI U(private_key, retired_at)',
    velum_worker: 'SI U(private_key)',
  },
  'public.notice': { ...READ, velum_app: 'SI' },
  'public.consent': {
    ...READ,
    velum_app: 'SI U(ended_at, expires_at, notice_id, suspended_at, version)',
    velum_worker: 'S U(ended_at, expires_at, version)',
  },
  'public.retention_run': { ...READ, velum_app: 'S', velum_worker: 'SI' },
  'public.destruction': {
    ...READ,
    velum_app: 'SID U(told_at)',
    velum_worker: 'SID U(destroyed_at, run_id, templates, told_at)',
  },
  'public.held_template': { ...READ, velum_app: 'SI', velum_worker: 'SID U(row, segment_id, slot)' },
  'public.legal_hold': { ...READ, velum_app: 'SI U(released_at)', velum_worker: 'S' },
  'public.consent_version': { ...READ, velum_app: 'SI U(version)', velum_worker: 'SI U(version)' },
  'public.consent_fact': {
    ...READ,
    velum_app: 'SI U(person_ip_hash)',
    velum_worker: 'SI U(person_ip_hash)',
  },
  'public.rights_case': {
    ...READ,
    velum_app: 'SI U(answer, due_at, request, state)',
    velum_worker: 'S U(answer, request)',
  },
  'public.case_transition': { ...READ, velum_app: 'SI' },
  'public.case_reminder': { ...READ, velum_app: 'S', velum_worker: 'SI' },
  'public.nominee': { ...READ, velum_app: 'SID', velum_worker: 'S U(contact, name)' },
  'public.gallery': {
    ...READ,
    velum_app: 'SID U(target_false_match_rate, threshold_cosine, threshold_score, version)',
    velum_worker: 'S U(binding_key, version)',
  },
  'public.template': {
    ...READ,
    velum_app: 'SID',
    velum_worker: 'SID U(binding, row, segment_id, slot, version)',
  },
  'public.broken_binding': { ...READ, velum_app: 'SI', velum_worker: 'SI' },
  'public.template_removal': { ...READ, velum_app: 'SID', velum_worker: 'SI' },
  'public.audit_event': { ...READ, velum_app: 'SI', velum_worker: 'I' },
  'public.audit_pending': { ...READ, velum_app: 'S', velum_worker: 'SD U(n)' },
  'public.audit_past': { ...READ, velum_app: 'S', velum_worker: 'S' },
  'public.audit_leaf': { ...READ, velum_app: 'S', velum_worker: 'SI' },
  'public.audit_tile': { ...READ, velum_app: 'S', velum_worker: 'SI U(hashes)' },
  'public.audit_checkpoint': { ...READ, velum_app: 'S', velum_worker: 'SI' },
  'public.audit_key': { ...READ, velum_app: 'S', velum_worker: 'SI' },
  'public.audit_forgotten': { ...READ, velum_app: 'S' },
  'public.job': {
    ...READ,
    velum_app: 'SI U(ended_at, spool_key, state)',
    velum_worker:
      'SD U(code, done, ended_at, failed, input_starts, pairs, records_file, refused, spool_key, started_at, state, total)',
  },
  'public.job_item': {
    ...READ,
    velum_app: 'S',
    velum_worker: 'SID U(attempts, code, ended_at, input, result, state, subject_id)',
  },
  'public.job_record': { ...READ, velum_worker: 'SID U(overwritten, secret)' },
  'public.webhook': {
    ...READ,
    velum_app: 'SID U(disabled_at)',
    velum_worker: 'S U(disabled_at, secret, url)',
  },
  'public.webhook_delivery': { ...READ, velum_app: 'SI', velum_worker: 'SIUD' },
  'public.incident': {
    ...READ,
    velum_app: 'SI U(breach, risk, state)',
    velum_worker: 'SI U(description, title)',
  },
  'public.incident_transition': { ...READ, velum_app: 'SI', velum_worker: 'I' },
  'public.incident_entry': { ...READ, velum_app: 'SI', velum_worker: 'S U(text)' },
  'public.incident_duty': {
    ...READ,
    velum_app: 'SI U(met_at, reference, required)',
    velum_worker: 'S U(overdue_at, reminded_at)',
  },
  'public.incident_query': { ...READ, velum_app: 'SI' },
  'public.incident_subject': {
    ...READ,
    velum_app: 'SI U(channel, delivery_ids, ended_at, handed_at, released_at, state)',
    velum_worker: 'S U(handed_at, state)',
  },
  'public.incident_notice': { ...READ, velum_app: 'SI', velum_worker: 'S U(text)' },
  'public.renewal_demand': { ...READ, velum_app: 'SI', velum_worker: 'SD' },
  'public.match_hour': { ...READ, velum_worker: 'SID U(audited, matches, opened)' },
  'public.erasure_journal': { ...READ, velum_worker: 'SD' },
  'public.erasure_shipment': { ...READ, velum_worker: 'S U(number)' },
  'public.officer': {
    ...READ,
    velum_app:
      'SI U(disabled_at, email_index, enrolled_at, enrolment_expires_at, enrolment_hash, password_hash, totp_secret, totp_step)',
    velum_worker: 'S U(email, name, totp_secret)',
  },
  'public.officer_recovery_code': { ...READ, velum_app: 'SID' },
  'public.officer_session': { ...READ, velum_app: 'SI U(ended_at, renewed_at)', velum_worker: 'SD' },
  'public.officer_session_token': { ...READ, velum_app: 'SI U(spent_at)' },
  'public.officer_login_attempt': {
    ...READ,
    velum_app: 'SI U(failed_at, failures, locked_until)',
    velum_worker: 'SD',
  },
  'public.proposal': { ...READ, velum_app: 'SI U(decided_at, decided_by, state)' },
  'custody.key_set': { ...READ, velum_custodian: 'SID U(generation, oldest, retirements)' },
  'custody.key_share': { ...READ, velum_custodian: 'SI' },
  'custody.retired': { ...READ, velum_custodian: 'SI U(slots, version)' },
  'public.key_set_destruction': { ...READ, velum_app: 'SID', velum_worker: 'SD' },
  'public.slot_retirement': { ...READ, velum_worker: 'SID' },
  'custody.segment': { ...READ, velum_custodian: 'SID U(secret, used)' },
  'custody.wrapping_key': { ...READ, velum_custodian: 'SI U(ended_at, resealed)' },
  'custody.rotation': { ...READ, velum_custodian: 'SI' },
  'public.key_set_rotation': {
    ...READ,
    velum_app: 'SI',
    velum_worker: 'S U(adopted_at, audit_records, begun_at, ended_at, moved, moved_at, outcome, rows)',
  },
  'public.rotating_segment': { ...READ, velum_app: 'S', velum_worker: 'SI U(retired_at)' },
  'custody.opening': { ...READ, velum_custodian: 'SI' },
  'custody.opening_count': {
    ...READ,
    velum_custodian: 'SID U(blocked_until, in_day, in_minute, minute, strikes)',
  },
  'public.backup_sighting': {
    ...READ,
    velum_app: 'S',
    velum_worker: 'SID U(keep_log_days, looked_at, newest_at, region, target)',
  },
  'public.record_fact': { ...READ, velum_app: 'SID', velum_worker: 'S U(value)' },
  'public.record_assessment': { ...READ, velum_app: 'SI' },
  'public.key_rotation': {
    ...READ,
    velum_app: 'S',
    velum_worker: 'SI U(ended_at, resealed)',
    velum_custodian: 'S U(ended_at, resealed)',
  },
};

const ROLES = ['velum_app', 'velum_worker', 'velum_custodian', 'velum_backup'] as const;

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.start({ apis: 0 });
});

afterAll(() => stack.stop());

test('each role may do to each table what is written here, and nothing else', async () => {
  const { rows } = await stack.owner.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
  );
  const found: Record<string, Grants> = {};
  for (const { name } of rows) found[name] = await grantsOf(name);
  expect(found).toEqual(TABLES);
});

test.each(ROLES)(
  '%s owns nothing, makes nothing and is no member of another of these roles',
  async (role) => {
    const { rows } = await stack.owner.query(
      `SELECT (SELECT count(*)::int FROM pg_class WHERE relowner = r.oid) AS owns,
            has_schema_privilege(r.rolname, 'public', 'CREATE') AS makes,
            r.rolsuper OR r.rolcreatedb OR r.rolcreaterole OR r.rolbypassrls AS rules,
            (SELECT coalesce(array_agg(g.rolname::text), '{}') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid) AS "memberOf"
     FROM pg_roles r WHERE r.rolname = $1`,
      [role],
    );
    const memberOf = role === 'velum_backup' ? ['pg_read_all_data'] : [];
    expect(rows).toEqual([{ owns: 0, makes: false, rules: false, memberOf }]);
  },
);

test.each([
  ['app', 'SELECT FROM custody.key_set'],
  ['app', 'SELECT FROM erasure_journal'],
  ['app', 'DELETE FROM revoked_token'],
  ['app', 'UPDATE outbox SET done_at = now()'],
  ['app', "UPDATE consent SET purpose = 'another'"],
  ['app', 'DELETE FROM audit_event'],
  ['app', "INSERT INTO audit_leaf VALUES (0, NULL, '')"],
  ['app', "INSERT INTO audit_checkpoint VALUES (1, 1, '')"],
  ['app', "SELECT seal_audit_entries('{}', '{}', '{}')"],
  ['app', "UPDATE proposal SET payload = '{}'"],
  ['app', "UPDATE officer SET scopes = '{admin:keys}'"],
  ['app', 'SELECT secret FROM job_record'],
  ['worker', 'UPDATE officer SET password_hash = NULL'],
  ['worker', 'DELETE FROM audit_leaf'],
  ['worker', 'UPDATE audit_checkpoint SET note = $$x$$'],
  ['worker', 'INSERT INTO audit_forgotten VALUES ($$x$$, gen_random_uuid())'],
  ['worker', 'SELECT FROM custody.segment'],
  [
    'worker',
    'INSERT INTO client (id, name, secret_hash, scopes) VALUES (gen_random_uuid(), $$x$$, $$x$$, $${}$$)',
  ],
  ['worker', 'SELECT FROM notice'],
  ['worker', 'SELECT FROM audit_event'],
  ['worker', 'SELECT FROM custody.opening'],
  ['app', "SELECT custody_openings('-infinity', 'infinity')"],
  ['app', "SELECT custody_refusals('-infinity', 1)"],
  ['worker', 'DELETE FROM gallery'],
  ['custodian', 'SELECT FROM template'],
  ['custodian', 'SELECT FROM subject'],
  ['custodian', 'UPDATE custody.segment SET gallery_id = id'],
  ['backup', 'DELETE FROM template'],
  ['backup', 'CREATE TABLE mine ()'],
] as const)('as %s: %s is refused', async (role, statement) => {
  const client = new Client({ connectionString: stack.urls[role] });
  await client.connect();
  try {
    await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
  } finally {
    await client.end();
  }
});

/** As that role, in a transaction that is undone: the code of PostgreSQL's refusal, or that there was none. */
async function attempts(
  role: 'app' | 'worker' | 'custodian',
  tables: readonly string[],
): Promise<Record<string, string>> {
  const client = new Client({ connectionString: stack.urls[role] });
  await client.connect();
  const said: Record<string, string> = {};
  try {
    for (const table of tables) {
      const { rows } = await stack.owner.query<{ column: string }>(
        `SELECT attname AS column FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
        [table],
      );
      const statements = [
        ...rows.flatMap(({ column }) => [
          `SELECT "${column}" FROM ${table}`,
          `UPDATE ${table} SET "${column}" = DEFAULT`,
        ]),
        `SELECT count(*) FROM ${table}`,
        `COPY ${table} TO STDOUT`,
        `INSERT INTO ${table} DEFAULT VALUES`,
        `DELETE FROM ${table}`,
        `TRUNCATE ${table}`,
        `LOCK ${table} IN ACCESS SHARE MODE`,
        `CREATE VIEW public.seen AS TABLE ${table}`,
      ];
      for (const statement of statements) {
        await client.query('BEGIN');
        said[statement] = await client.query(statement).then(
          () => 'allowed',
          ({ code }: { code: string }) => code,
        );
        await client.query('ROLLBACK');
      }
    }
  } finally {
    await client.end();
  }
  return said;
}

const CUSTODY = Object.keys(TABLES).filter((table) => table.startsWith('custody.'));
const OTHERS = Object.keys(TABLES).filter((table) => !table.startsWith('custody.'));

test.each(['app', 'worker'] as const)(
  'as %s: no statement reaches a table of keys, whatever it is',
  async (role) => {
    const said = await attempts(role, CUSTODY);
    expect(Object.keys(said).length).toBeGreaterThan(40);
    expect(Object.entries(said).filter(([, code]) => code !== '42501')).toEqual([]);
  },
);

test('as custodian: no statement reaches a row of a template, a person, a consent or anything else of the apps', async () => {
  const own = OTHERS.filter((table) => TABLES[table]?.velum_custodian !== undefined);
  // Ids of keys and counts.
  expect(own).toEqual(['public.key_rotation']);
  const said = await attempts(
    'custodian',
    OTHERS.filter((table) => !own.includes(table)),
  );
  expect(Object.keys(said).length).toBeGreaterThan(600);
  expect(Object.entries(said).filter(([, code]) => code !== '42501')).toEqual([]);
});

test('functions that run as the owner tell the custodian nothing of the apps, and the apps nothing of keys', async () => {
  const { rows } = await stack.owner.query<{ name: string; custodian: boolean }>(
    `SELECT p.oid::regprocedure::text AS name, has_function_privilege('velum_custodian', p.oid, 'EXECUTE') AS custodian
     FROM pg_proc p WHERE p.prosecdef AND p.prorettype <> 'trigger'::regtype
       AND p.pronamespace <> 'custody'::regnamespace AND (has_function_privilege('velum_custodian', p.oid, 'EXECUTE')
         OR p.prosrc ~ 'custody' AND (has_function_privilege('velum_app', p.oid, 'EXECUTE')
           OR has_function_privilege('velum_worker', p.oid, 'EXECUTE')))
     ORDER BY 1`,
  );
  // Names of columns, ids of keys, counts, times. The apps may not look into the schema custody at all.
  expect(rows).toEqual([
    { name: 'custody_openings(timestamp with time zone,timestamp with time zone)', custodian: false },
    { name: 'custody_refusals(timestamp with time zone,integer)', custodian: false },
    { name: 'sealed_values()', custodian: true },
    { name: 'wrapping_key_states()', custodian: true },
    { name: 'wrapping_keys()', custodian: true },
  ]);
});

async function grantsOf(table: string): Promise<Grants> {
  const grants: Record<string, string> = {};
  for (const role of ROLES) {
    const { rows } = await stack.owner.query<Record<string, boolean | string[]>>(
      `SELECT ${PRIVILEGES.map(
        (privilege) => `has_table_privilege($1, $2, '${privilege}')
                  AND has_schema_privilege($1, split_part($2, '.', 1), 'USAGE') AS "${privilege}"`,
      ).join(', ')},
              (SELECT coalesce(array_agg(attname::text ORDER BY attname), '{}') FROM pg_attribute
               WHERE attrelid = $2::regclass AND attnum > 0 AND NOT attisdropped
                 AND has_column_privilege($1, $2, attname, 'UPDATE')) AS columns`,
      [role, table],
    );
    const [row = {}] = rows;
    const whole = PRIVILEGES.filter((privilege) => row[privilege] === true);
    const columns = row['columns'];
    const some = Array.isArray(columns) && columns.length > 0 && !whole.includes('UPDATE');
    const text = `${whole.map(([letter]) => letter).join('')}${some ? ` U(${columns.join(', ')})` : ''}`;
    if (text !== '') grants[role] = text;
  }
  return grants;
}

test("functions that run as the owner look at nobody's temporary tables first", async () => {
  const { rows } = await stack.owner.query(
    `SELECT proname AS name, array_to_string(proconfig, ' ') AS settings FROM pg_proc
     WHERE prosecdef AND pronamespace = 'public'::regnamespace AND proname ~ 'audit'`,
  );
  expect(rows.length).toBeGreaterThan(6);
  for (const { name, settings } of rows) {
    expect([name, settings]).toEqual([name, 'search_path=pg_catalog, public, pg_temp']);
  }
});

test('values under the encryption key are counted, whichever migration was the last to say how', async () => {
  const { rows } = await stack.owner.query<{ body: string }>(
    `SELECT prosrc AS body FROM pg_proc WHERE proname = 'sealed_values'`,
  );
  const uncounted = SEALED_COLUMNS.filter(({ name }) => !rows[0]?.body.includes(`'${name}'`));
  expect(uncounted).toEqual([]);
});

test('whoever may insert entries can neither stop the sequencer nor an erasure with them', async () => {
  const good = `'\\x01' || sha256('a')`;
  const insert = (salt: string, commitment: string): Promise<unknown> =>
    stack.owner.query(
      `BEGIN; SET LOCAL ROLE velum_app; INSERT INTO audit_event (id, type, outcome, salt, commitment)
       VALUES (gen_random_uuid(), 'token.issued', 'ok', ${salt}, ${commitment}); COMMIT`,
    );
  for (const [salt, commitment] of [
    ['NULL', good],
    [`sha256('s')`, 'NULL'],
    [`sha256('s')`, `''::bytea`],
    [`sha256('s')`, `'\\x03' || sha256('a')`],
    [`'s'`, good],
  ] as const) {
    await expect(insert(salt, commitment)).rejects.toThrow(/violates check constraint/);
    await stack.owner.query('ROLLBACK');
  }
  await insert(`sha256('s')`, good);
  await expect(insert(`sha256('s')`, good)).rejects.toThrow(/audit_event_commitment/);
  await stack.owner.query('ROLLBACK');
});
