import { AuditLog } from '#audit/audit-log';
import { TemplateBindings } from '#biometrics/template-bindings';
import { CustodyDatabase } from '#custody/custody-database';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { loadConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { asId } from '#platform/ids';
import { SealedValues } from '#platform/sealed-values';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { AppProcess } from '../../infra/dev/app-process.js';
import { asOwner } from '../../infra/dev/database.js';
import { prepareApps, startInstallation } from '../../infra/dev/installation.js';
import { BenchClient } from '../bench-client.js';
import { FACES_A_TWIN, fillWithTwins } from '../dedup/gallery-of-twins.js';
import { randomFace } from '../faces-in-space.js';
import { measure, median, quantile } from '../load.js';
import { NO_LIMITS } from '../no-limits.js';
import { table, writeSection } from '../section.js';
import { measureBinding } from './binding-cost.js';
import { type Enrolled, measureWithdrawals } from './withdrawals.js';

/** `npm run bench:consent -- [withdrawals]`; ends with 1 if somebody is matched after a withdrawal's answer. */
const WITHDRAWALS = Number(process.argv[2] ?? 500);
const SEARCHED = 10_000;
const LOADED = 100_000;
const DIMENSION = 512;

const installation = await startInstallation(resolve('.velum/bench'));
const stops = [(): Promise<unknown> => installation.stop()];
try {
  const database = `velum_consent_${Date.now()}`;
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
  const [first, second] = [await start('api'), await start('api')];
  await start('worker');
  const client = await BenchClient.create(first.url, env);
  const config = loadConfig(env);
  const keyring = config.secrets.dbEncryptionKeys;
  const values = new SealedValues(keyring);
  const app = await new DataSource(dataSourceOptions(urls.app, 'velum-bench')).initialize();
  const bindings = new TemplateBindings(app, new AuditLog(app), keyring, values);
  const owner = new Pool({ connectionString: urls.owner, max: 1 });
  stops.push(async () => Promise.all([app.destroy(), owner.end()]));

  const galleryId = await filled('searched', SEARCHED);
  const people = await enrolledIn(galleryId);
  const withdrawn = await measureWithdrawals(
    [first.url, second.url],
    client.token,
    galleryId,
    people.slice(0, WITHDRAWALS),
  );
  const standing = people.slice(WITHDRAWALS, WITHDRAWALS + 200);
  const verifying = await measure(first.url, 200, 0, (i) => {
    const { subjectId, face } = standing[i % standing.length] ?? { subjectId: '', face: [] };
    return client.verify(galleryId, subjectId, { embedding: face });
  });

  const loaded = asId<'gallery'>(await filled('loaded', LOADED));
  const key = await bindings.keyOf({ id: loaded, bindingKey: null });
  if (key === undefined) throw new Error('a gallery without a binding key');
  const cost = await measureBinding(urls.app, loaded, key);
  const searching = await measure(second.url, 1, 0, () =>
    client.identify(loaded, { embedding: randomFace(1, DIMENSION), topK: 1 }),
  );
  const each = ((cost.checked - cost.plain) / cost.rows) * 1_000;
  const text = `
## Withdrawals and bindings, by \`npm run bench:consent\`

${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}. Two replicas and a gallery of ${SEARCHED.toLocaleString('en')} templates of ${DIMENSION} dimensions. Each of ${WITHDRAWALS}
people withdraws at one replica, while the other searches for that person without a pause. In milliseconds.

${table(
  ['from sending the withdrawal', 'p50', 'p99'],
  [
    ['to its answer', ms(median(withdrawn.answers)), ms(quantile(withdrawn.answers, 0.99))],
    [
      'to the first search that names nobody',
      ms(median(withdrawn.untilNoMatch)),
      ms(quantile(withdrawn.untilNoMatch, 0.99)),
    ],
  ],
)}

Of ${withdrawn.after.toLocaleString('en')} searches begun after the answer ${withdrawn.matchedAfter} named the person; of those under way before it ${withdrawn.matchedBefore.toLocaleString('en')}.

${cost.rows.toLocaleString('en')} rows take ${ms(cost.plain)} ms of processor time to read, and ${ms(cost.checked)} with the check of their bindings:
${(cost.checked / cost.plain).toFixed(2)} ×, or ${each.toFixed(1)} µs a row. The first search of that gallery, with all that loading it takes: ${ms(searching.p50)} ms. A verification over
HTTP, p50 ${verifying.p50.toFixed(2)} ms, has the check of its one row in it: ${((each / 1_000 / verifying.p50) * 100).toFixed(2)} %.
`;
  console.log(text);
  writeSection('bench:consent', text);
  process.exitCode = withdrawn.matchedAfter === 0 ? 0 : 1;

  async function filled(name: string, size: number): Promise<string> {
    const gallery = await client.gallery(name, DIMENSION);
    const custody = await CustodyDatabase.connect(config);
    const custodian = new LocalKeyCustodian(custody, config, await WrappingKeys.load(config));
    try {
      const like = await client.subject();
      await fillWithTwins(owner, custodian, bindings, {
        galleryId: gallery,
        like,
        dimension: DIMENSION,
        size,
      });
      await owner.query('UPDATE gallery SET version = 1 WHERE id = $1', [gallery]);
      console.log(`${size.toLocaleString('en')} templates stored`);
      return gallery;
    } finally {
      await custodian.onApplicationShutdown();
      await custody.destroy();
    }
  }

  /** Whoever looks like nobody else. */
  async function enrolledIn(gallery: string): Promise<(Enrolled & { readonly subjectId: string })[]> {
    const { rows } = await owner.query<{ subjectId: string; consentId: string }>(
      `SELECT subject_id AS "subjectId", consent_id AS "consentId" FROM template WHERE gallery_id = $1
       ORDER BY segment_id, slot`,
      [gallery],
    );
    // Slots are given in the order in which faces were sealed.
    return rows
      .map((row, n) => ({ ...row, n, face: randomFace(n, DIMENSION) }))
      .filter(({ n }) => n > SEARCHED / FACES_A_TWIN && n % FACES_A_TWIN !== 0);
  }
} finally {
  for (const stop of stops.toReversed()) await stop();
}

function ms(value: number): string {
  return value.toFixed(1);
}
