import { AuditLog, type AuditEventInput } from '#audit/audit-log';
import { ExportAuditLog, ExportAuditLogHandler } from '#audit/export-audit-log';
import { ProveConsistency, ProveConsistencyHandler } from '#audit/prove-consistency';
import { ProveInclusion, ProveInclusionHandler } from '#audit/prove-inclusion';
import { SequenceEntriesHandler } from '#audit/sequence-entries';
import { loadConfig, loadWorkerConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { newId } from '#platform/ids';
import { spawnSync } from 'node:child_process';
import { createWriteStream, rmSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DataSource } from 'typeorm';
import { asOwner } from '../../infra/dev/database.js';
import { prepareApps, startInstallation } from '../../infra/dev/installation.js';
import { median, quantile } from '../load.js';
import { table, writeSection } from '../section.js';

/** `npm run bench:audit -- [leaves]`; ends with 1 where the export does not verify. */
const LEAVES = Number(process.argv[2] ?? 1_000_000);
const ROUND = 50_000;
const AT_ONCE = 1_000;
const SINGLES = 500;
const PROOFS = 2_000;

const installation = await startInstallation(resolve('.velum/bench'));
const database = `velum_audit_${Date.now()}`;
const { urls, env } = await prepareApps(installation, database);
const config = loadConfig(env);
const db = await new DataSource(dataSourceOptions(config.databaseUrl, 'velum-bench')).initialize();
const workerConfig = loadWorkerConfig(env);
const workerDb = await new DataSource(
  dataSourceOptions(workerConfig.databaseUrl, 'velum-bench'),
).initialize();
const file = resolve('.velum/bench/audit-export.ndjson');
try {
  // The same rows, columns and indexes as before the log was a tree.
  await asOwner(urls.owner, async (owner) => {
    await owner.query('CREATE TABLE plain_event (LIKE audit_event INCLUDING DEFAULTS INCLUDING INDEXES)');
    await owner.query('ALTER TABLE plain_event DROP COLUMN salt, DROP COLUMN commitment');
    await owner.query('GRANT INSERT ON plain_event TO velum_app');
  });
  const audit = new AuditLog(db);
  const sequencer = new SequenceEntriesHandler(workerDb, workerConfig);

  const speeds = { plain: [] as number[], append: [] as number[], sequence: [] as number[] };
  for (let from = 0; from < LEAVES; from += ROUND) {
    const batches = Array.from({ length: ROUND / AT_ONCE }, () => Array.from({ length: AT_ONCE }, anEvent));
    speeds.plain.push(ROUND / (await seconds(() => each(batches, insertPlainly))));
    speeds.append.push(
      ROUND / (await seconds(() => each(batches, (batch) => audit.appendAll(db.manager, batch)))),
    );
    speeds.sequence.push(ROUND / (await seconds(sequenceAll)));
    console.log(`${from + ROUND} leaves`);
  }
  const singles = { plain: [] as number[], append: [] as number[] };
  for (let i = 0; i < SINGLES; i++) {
    singles.plain.push(1_000 * (await seconds(() => insertPlainly([anEvent()]))));
    singles.append.push(1_000 * (await seconds(() => audit.append(db.manager, anEvent()))));
  }
  await sequenceAll();

  const [inclusion, consistency] = [new ProveInclusionHandler(db), new ProveConsistencyHandler(db)];
  const proofs = { inclusion: [] as number[], consistency: [] as number[] };
  for (let i = 0; i < PROOFS; i++) {
    const [a, b] = [Math.floor(Math.random() * LEAVES), Math.floor(Math.random() * LEAVES)];
    proofs.inclusion.push(1_000 * (await seconds(() => inclusion.execute(new ProveInclusion({ index: a })))));
    const query = new ProveConsistency(Math.min(a, b), Math.max(a, b));
    proofs.consistency.push(1_000 * (await seconds(() => consistency.execute(query))));
  }

  const exporting = await seconds(async () => {
    const portions = await new ExportAuditLogHandler(db).execute(new ExportAuditLog());
    await pipeline(Readable.from(portions), createWriteStream(file));
  });
  const [key] = await db.query<{ vkey: string }[]>('SELECT vkey FROM audit_key');
  const started = performance.now();
  const verifier = ['libs/audit/verifier/verify-audit.mjs', file, '--key', key?.vkey ?? ''];
  const { status, stdout, stderr } = spawnSync(process.execPath, verifier, { encoding: 'utf8' });
  const verifying = (performance.now() - started) / 1_000;
  console.log(`${stdout}${stderr}`);

  const text = `
## The audit log, by \`npm run bench:audit\`

${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, PostgreSQL on the same machine, ${whole(LEAVES)} leaves, one connection. Medians of
${LEAVES / ROUND} rounds in which each has its turn with ${whole(ROUND)} entries, inserted ${whole(AT_ONCE)} to a statement. A plain insert writes the same
columns into a table with the same indexes, without salt, commitment and queue.

${table(
  ['', 'entries a second', 'one alone, p50 in ms', 'p99'],
  [
    [
      'a plain insert',
      whole(median(speeds.plain)),
      median(singles.plain).toFixed(2),
      quantile(singles.plain, 0.99).toFixed(2),
    ],
    [
      'written to the audit log: salted, committed to, queued',
      whole(median(speeds.append)),
      median(singles.append).toFixed(2),
      quantile(singles.append, 0.99).toFixed(2),
    ],
    ['sequenced: leaves, tree, checkpoint', whole(median(speeds.sequence)), '', ''],
  ],
)}

${table(
  ['a proof at that size, from the database', 'p50 in ms', 'p99'],
  [
    ['inclusion', median(proofs.inclusion).toFixed(2), quantile(proofs.inclusion, 0.99).toFixed(2)],
    ['consistency', median(proofs.consistency).toFixed(2), quantile(proofs.consistency, 0.99).toFixed(2)],
  ],
)}

A full export, ${(statSync(file).size / 2 ** 20).toFixed(0)} MiB, is written in ${exporting.toFixed(0)} s and verified with plain Node in ${verifying.toFixed(0)} s.
`;
  console.log(text);
  writeSection('bench:audit', text);
  process.exitCode = status === 0 ? 0 : 1;

  async function sequenceAll(): Promise<void> {
    while ((await sequencer.execute()) > 0);
  }
} finally {
  rmSync(file, { force: true });
  await Promise.all([db.destroy(), workerDb.destroy()]);
  await asOwner(new URL('/postgres', installation.server).toString(), (client) =>
    client.query(`DROP DATABASE ${database} WITH (FORCE)`),
  );
  await installation.stop();
}

function anEvent(): AuditEventInput {
  return {
    type: 'subject.verified',
    outcome: 'match',
    clientId: newId<'client'>(),
    subjectId: newId<'subject'>(),
    galleryId: newId<'gallery'>(),
    details: { templates: 1 },
  };
}

/** As the log did before: the same statement, without what is new. */
async function insertPlainly(events: readonly AuditEventInput[]): Promise<void> {
  const rows = events.map(({ clientId, subjectId, galleryId, ...same }) => ({
    id: newId<'audit-event'>(),
    ...same,
    client_id: clientId,
    subject_id: subjectId,
    gallery_id: galleryId,
    request_id: null,
    ip_hash: null,
  }));
  await db.query(
    `INSERT INTO plain_event (id, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash, details)
     SELECT id, type, outcome, code, client_id, subject_id, gallery_id, request_id, ip_hash, details
     FROM jsonb_to_recordset($1) AS e (id uuid, type text, outcome text, code text, client_id uuid, subject_id uuid,
       gallery_id uuid, request_id text, ip_hash text, details jsonb)`,
    [JSON.stringify(rows)],
  );
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (const item of items) await work(item);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1_000;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
