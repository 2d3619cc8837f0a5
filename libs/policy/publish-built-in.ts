import { migrationDatabaseUrl } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { DataSource } from 'typeorm';
import euGdpr from './jurisdictions/eu-gdpr.json' with { type: 'json' };
import inDpdp from './jurisdictions/in-dpdp.json' with { type: 'json' };
import usIlBipa from './jurisdictions/us-il-bipa.json' with { type: 'json' };
import { Policies } from './policies.js';
import { readPolicy } from './policy-document.js';

const BUILT_IN = [euGdpr, inDpdp, usIlBipa];

/**
 * Puts the policies that Velum comes with in force where a jurisdiction has none, as the owner of the tables. One that is
 * there stays: officers may have changed it. Answers the codes of those that were published.
 */
export async function publishBuiltIn(url = migrationDatabaseUrl()): Promise<readonly string[]> {
  const owner = new DataSource(dataSourceOptions(url, 'velum-migrate'));
  await owner.initialize();
  try {
    return await owner.transaction(async (tx) => {
      const policies = new Policies();
      await tx.query('LOCK TABLE jurisdiction_policy IN SHARE ROW EXCLUSIVE MODE');
      const known = new Set((await policies.all(tx)).map(({ jurisdiction }) => jurisdiction));
      const missing = BUILT_IN.map(readPolicy).filter(({ code }) => !known.has(code));
      for (const policy of missing) await policies.publish(tx, policy);
      return missing.map(({ code }) => code);
    });
  } finally {
    await owner.destroy();
  }
}
