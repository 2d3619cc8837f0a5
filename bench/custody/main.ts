import { AuditLog } from '#audit/audit-log';
import { Matcher } from '#biometrics/matcher';
import { TemplateBindings } from '#biometrics/template-bindings';
import { ConsentGate } from '#consent/consent-gate';
import { CustodyDatabase } from '#custody/custody-database';
import { LocalKeyCustodian } from '#custody/local-key-custodian';
import { WrappingKeys } from '#custody/wrapping-keys';
import { RemoteKeyCustodian } from '#custody/remote-key-custodian';
import { loadConfig } from '#platform/config';
import { parseCustodianClient } from '#platform/custodian-config';
import { dataSourceOptions } from '#platform/data-source';
import { SealedValues } from '#platform/sealed-values';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DataSource } from 'typeorm';
import { AppProcess } from '../../infra/dev/app-process.js';
import { asOwner } from '../../infra/dev/database.js';
import { prepareApps, startInstallation } from '../../infra/dev/installation.js';
import { Authority } from '../../test/harness/certificates.js';
import { NO_LIMITS } from '../no-limits.js';
import { StoredGalleries } from '../search/stored-galleries.js';
import { writeCustodyReport } from './custody-report.js';
import { measureJudgement } from './judgement.js';
import { besideEachOther } from './turns.js';

/** `npm run bench:custody -- --rows 100000 --searches 20` for less than a million; ends with 1 where a bound is not met. */
const { values: options } = parseArgs({
  options: { rows: { type: 'string', default: '1000000' }, searches: { type: 'string', default: '60' } },
});
const [ROWS, SEARCHES] = [Number(options.rows), Number(options.searches)];
const DIMENSION = 512;

const installation = await startInstallation(resolve('.velum/bench'));
const stops = [(): Promise<unknown> => installation.stop()];
try {
  const database = `velum_custody_${Date.now()}`;
  const { urls, env } = await prepareApps(installation, database);
  stops.push(() =>
    asOwner(new URL('/postgres', installation.server).toString(), (client) =>
      client.query(`DROP DATABASE ${database} WITH (FORCE)`),
    ),
  );
  const config = { ...loadConfig({ ...env, ...NO_LIMITS }), galleryLoadSeconds: 600 };
  const db = await new DataSource(dataSourceOptions(config.databaseUrl, 'velum-bench')).initialize();
  stops.push(() => db.destroy());
  const custody = await CustodyDatabase.connect(config);
  stops.push(() => custody.destroy());
  const keyring = config.secrets.dbEncryptionKeys;
  const values = new SealedValues(keyring);
  const keys = await WrappingKeys.load(config);
  const local = new LocalKeyCustodian(custody, config, keys);
  stops.push(() => local.onApplicationShutdown());
  await local.ready();
  const startRemote = custodiansOn(env);
  const remote = await startRemote({});
  const keeping = await startRemote({ GLIBC_TUNABLES: '' });

  const bindings = new TemplateBindings(db, new AuditLog(db), keyring, values);
  const galleries = new StoredGalleries(urls.owner, local, bindings);
  stops.push(() => galleries.close());
  await galleries.prepare();
  const gallery = await galleries.create(DIMENSION);
  await galleries.fill(gallery, ROWS);
  console.log(`${ROWS.toLocaleString('en')} templates stored`);
  const matcher = new Matcher(db, local, new ConsentGate(), bindings, config);
  stops.push(() => matcher.onApplicationShutdown());
  const figures = await besideEachOther({
    matcher,
    galleries,
    gallery,
    rows: ROWS,
    searches: SEARCHES,
    custodians: { local, remote, keeping },
  });
  const judgement = await measureJudgement({ custody, config, keys, matcher, galleries, gallery });
  process.exitCode = writeCustodyReport(ROWS, DIMENSION, figures, judgement) ? 0 : 1;
} finally {
  for (const stop of stops.toReversed()) await stop();
}

/** Starts custodian processes on the same database, as further replicas would be. */
function custodiansOn(
  env: Readonly<Record<string, string>>,
): (own: Readonly<Record<string, string>>) => Promise<RemoteKeyCustodian> {
  const folder = resolve('.velum/bench/internal');
  mkdirSync(folder, { recursive: true });
  const authority = new Authority(folder, 'internal');
  const tlsOf = (name: string): Record<string, string> => {
    const { cert, key } = authority.sign(name);
    return {
      CUSTODIAN_TLS_CA_FILE: authority.cert,
      CUSTODIAN_TLS_CERT_FILE: cert,
      CUSTODIAN_TLS_KEY_FILE: key,
    };
  };
  const [served, asking] = [tlsOf('velum_custodian'), tlsOf('velum_app')];
  return async (own) => {
    const custodian = await AppProcess.start('custodian', {
      ...env,
      ...NO_LIMITS,
      ...served,
      CUSTODIAN_PORT: '0',
      ...own,
    });
    stops.push(() => custodian.stop());
    const url = `https://localhost:${new URL(custodian.url).port}`;
    const client = parseCustodianClient({ ...asking, CUSTODIAN_URL: url }, []);
    if (client === undefined) throw new Error('the custodian has no URL');
    const remote = new RemoteKeyCustodian(client);
    stops.push(async () => remote.onApplicationShutdown());
    return remote;
  };
}
