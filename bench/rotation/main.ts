import { AuditLog } from '#audit/audit-log';
import { TemplateBindings } from '#biometrics/template-bindings';
import { CustodyDatabase } from '#custody/custody-database';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { loadConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { SealedValues } from '#platform/sealed-values';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { AppProcess } from '../../infra/dev/app-process.js';
import { asOwner } from '../../infra/dev/database.js';
import { prepareApps, startInstallation } from '../../infra/dev/installation.js';
import { BenchClient } from '../bench-client.js';
import { fillWithTwins } from '../dedup/gallery-of-twins.js';
import { randomFace } from '../faces-in-space.js';
import { type Load, measure } from '../load.js';
import { NO_LIMITS } from '../no-limits.js';
import { table, writeSection } from '../section.js';

/** `npm run bench:rotation -- [templates]`. */
const TEMPLATES = Number(process.argv[2] ?? 50_000);
const DIMENSION = 512;
const CALLS = 50;

interface Rotation {
  readonly begun_at: Date | null;
  readonly moved: number;
  readonly moved_at: Date | null;
  readonly outcome: string | null;
}

const installation = await startInstallation(resolve('.velum/bench'));
const stops = [(): Promise<unknown> => installation.stop()];
try {
  const database = `velum_rotation_${Date.now()}`;
  const { urls, env } = await prepareApps(installation, database);
  stops.push(() =>
    asOwner(new URL('/postgres', installation.server).toString(), (client) =>
      client.query(`DROP DATABASE ${database} WITH (FORCE)`),
    ),
  );
  const start = async (app: 'api' | 'worker'): Promise<AppProcess> => {
    const started = await AppProcess.start(app, { ...env, ...NO_LIMITS, PORT: '0' });
    stops.push(() => started.stop());
    return started;
  };
  const api = await start('api');
  const client = await BenchClient.create(api.url, env);
  const owner = new Pool({ connectionString: urls.owner, max: 1 });
  stops.push(() => owner.end());
  const gallery = await filled();
  const {
    rows: [person],
  } = await owner.query<{ id: string }>(
    'SELECT subject_id AS id FROM template WHERE gallery_id = $1 ORDER BY segment_id DESC, slot DESC LIMIT 1',
    [gallery],
  );
  const face = randomFace(TEMPLATES - 1, DIMENSION);
  const verify = (): Promise<Load> =>
    measure(api.url, CALLS, 0, () => client.verify(gallery, person?.id ?? '', { embedding: face }));
  const identify = (): Promise<Load> =>
    measure(api.url, CALLS / 10, 0, () => client.identify(gallery, { embedding: face, topK: 1 }));
  await identify();
  const before = { verify: await verify(), identify: await identify() };

  await start('worker');
  await owner.query(
    `INSERT INTO key_set_rotation (id, gallery_id, client_id, audit_records)
     SELECT gen_random_uuid(), id, client_id, '{}' FROM gallery WHERE id = $1`,
    [gallery],
  );
  while ((await rotation()).moved === 0)
    await measure(api.url, 1, 0, () => client.verify(gallery, person?.id ?? '', { embedding: face }));
  const during = { verify: [] as Load[], identify: [] as Load[] };
  while ((await rotation()).outcome === null) {
    const loads = { verify: await verify(), identify: await identify() };
    if ((await rotation()).outcome !== null) break;
    during.verify.push(loads.verify);
    during.identify.push(loads.identify);
  }
  const { begun_at: begun, moved_at: moved, moved: rows } = await rotation();
  const seconds = ((moved?.getTime() ?? Number.NaN) - (begun?.getTime() ?? Number.NaN)) / 1_000;
  const text = `
## New keys for a gallery, by \`npm run bench:rotation\`

${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}. A gallery of ${TEMPLATES.toLocaleString('en')} templates of ${DIMENSION} dimensions, one replica, one worker; one call after the
other, in milliseconds.

${table(
  ['p50', 'before', 'while its rows move', ''],
  (['verify', 'identify'] as const).map((call) => {
    const then = before[call].p50;
    const now =
      during[call].map(({ p50 }) => p50).toSorted((a, b) => a - b)[during[call].length >> 1] ?? Number.NaN;
    return [
      call === 'verify' ? '1:1' : '1:N',
      then.toFixed(2),
      now.toFixed(2),
      `${(now / then).toFixed(2)} ×`,
    ];
  }),
)}

${rows.toLocaleString('en')} rows in ${seconds.toFixed(1)} s: ${Math.round(rows / seconds).toLocaleString('en')} a second beside these calls.
`;
  console.log(text);
  writeSection('bench:rotation', text);

  async function rotation(): Promise<Rotation> {
    const { rows: found } = await owner.query<Rotation>(
      'SELECT begun_at, moved, moved_at, outcome FROM key_set_rotation WHERE gallery_id = $1',
      [gallery],
    );
    if (found[0] === undefined) throw new Error('no rotation');
    return found[0];
  }

  async function filled(): Promise<string> {
    const id = await client.gallery('rotated', DIMENSION);
    const config = loadConfig(env);
    const values = new SealedValues(config.secrets.dbEncryptionKeys);
    const app = await new DataSource(dataSourceOptions(urls.app, 'velum-bench')).initialize();
    const custody = await CustodyDatabase.connect(config);
    const custodian = new LocalKeyCustodian(custody, config, await WrappingKeys.load(config));
    const bindings = new TemplateBindings(app, new AuditLog(app), config.secrets.dbEncryptionKeys, values);
    try {
      const like = await client.subject();
      await fillWithTwins(owner, custodian, bindings, {
        galleryId: id,
        like,
        dimension: DIMENSION,
        size: TEMPLATES,
      });
      await owner.query('UPDATE gallery SET version = 1 WHERE id = $1', [id]);
      return id;
    } finally {
      await custodian.onApplicationShutdown();
      await Promise.all([custody.destroy(), app.destroy()]);
    }
  }
} finally {
  for (const stop of stops.toReversed()) await stop();
}
