import { AuditLog } from '#audit/audit-log';
import { TemplateBindings } from '#biometrics/template-bindings';
import { CustodyDatabase } from '#custody/custody-database';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { SealedValues } from '#platform/sealed-values';
import { loadConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { AppProcess } from '../../infra/dev/app-process.js';
import { asOwner } from '../../infra/dev/database.js';
import { prepareApps, startInstallation } from '../../infra/dev/installation.js';
import { BenchClient } from '../bench-client.js';
import { NO_LIMITS } from '../no-limits.js';
import { table, writeSection } from '../section.js';
import { deduplicate } from './deduplication.js';
import { FACES_A_TWIN, fillWithTwins } from './gallery-of-twins.js';
import { measurePairSpeed } from './pair-speed.js';

/** `npm run bench:dedup -- [templates]`; ends with 1 where an answer is not the right one. */
const SIZE = Number(process.argv[2] ?? 100_000);
const DIMENSION = 128;

const speeds = [await measurePairSpeed(128), await measurePairSpeed(512)];

const installation = await startInstallation(resolve('.velum/bench'));
const stops = [(): Promise<unknown> => installation.stop()];
try {
  const database = `velum_dedup_${Date.now()}`;
  const { urls, env } = await prepareApps(installation, database);
  stops.push(() =>
    asOwner(new URL('/postgres', installation.server).toString(), (client) =>
      client.query(`DROP DATABASE ${database} WITH (FORCE)`),
    ),
  );
  const api = await AppProcess.start('api', { ...env, ...NO_LIMITS, PORT: '0' });
  stops.push(() => api.stop());
  const worker = await AppProcess.start('worker', env);
  stops.push(() => worker.stop());
  const client = await BenchClient.create(api.url, env);
  const galleryId = await client.gallery('twins', DIMENSION);
  const like = await client.subject();
  await fill(galleryId, like);
  console.log(`${SIZE.toLocaleString('en')} templates stored`);

  const { seconds, groups, pairs } = await deduplicate(api.url, client.token, galleryId);
  const twins = Math.ceil(SIZE / FACES_A_TWIN) - 1;
  const right = groups === twins && pairs === twins && speeds.every((speed) => speed.right);
  const compared = (SIZE * (SIZE - 1)) / 2;
  const text = `
## Duplicates, by \`npm run bench:dedup\`

${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, one thread; pairs of templates in the clear, a second, in millions.

${table(
  ['d', 'the kernel', 'plain JavaScript', 'times'],
  speeds.map(({ dimension, kernelPairsPerSecond: kernel, plainPairsPerSecond: plain }) => [
    String(dimension),
    (kernel / 1e6).toFixed(0),
    (plain / 1e6).toFixed(1),
    (kernel / plain).toFixed(0),
  ]),
)}

A job over HTTP, with worker, PostgreSQL and custody, on a gallery of ${SIZE.toLocaleString('en')} sealed templates of
${DIMENSION} dimensions, each of another subject: ${seconds.toFixed(0)} s from the call to the end, ${(compared / seconds / 1e6).toFixed(0)} million pairs a second.
It found ${groups} groups of ${twins} that there are.
`;
  console.log(text);
  writeSection('bench:dedup', text);
  process.exitCode = right ? 0 : 1;

  async function fill(gallery: string, subject: string): Promise<void> {
    const config = loadConfig(env);
    const db = await CustodyDatabase.connect(config);
    const keyring = config.secrets.dbEncryptionKeys;
    const values = new SealedValues(keyring);
    const custodian = new LocalKeyCustodian(db, config, await WrappingKeys.load(config));
    const app = await new DataSource(dataSourceOptions(config.databaseUrl, 'velum-bench')).initialize();
    const bindings = new TemplateBindings(app, new AuditLog(app), keyring, values);
    const owner = new Pool({ connectionString: urls.owner, max: 1 });
    try {
      await fillWithTwins(owner, custodian, bindings, {
        galleryId: gallery,
        like: subject,
        dimension: DIMENSION,
        size: SIZE,
      });
    } finally {
      await custodian.onApplicationShutdown();
      await Promise.all([db.destroy(), app.destroy(), owner.end()]);
    }
  }
} finally {
  for (const stop of stops.toReversed()) await stop();
}
