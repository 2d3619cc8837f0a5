import { main as verify } from '#audit/verification';
import { isKeyName, makeWitnessKey } from '#audit/witness';
import { Command } from 'commander';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { DataSource } from 'typeorm';
import { inApp } from '../in-app.js';
import { CannotAudit } from './cannot-audit.js';
import { cosign, type CosignOptions } from './cosign.js';
import { reconcile } from './reconcile.js';

export const command = new Command('audit').description('verify, reconcile and witness audit logs');

command
  .command('verify')
  .description('check exports, bundles and proofs; the same as node libs/audit/verifier/verify-audit.mjs')
  .argument(
    '<from...>',
    'files, - for standard input, or addresses of installations (a token in AUDIT_TOKEN)',
  )
  .option('--key <vkey...>', 'keys of the log, from where you trust them')
  .option('--checkpoint <file...>', 'checkpoints that you kept: the log must begin with theirs')
  .option('--witness <vkey...>', 'who must have cosigned')
  .action(async (from: string[], given: { key?: string[]; checkpoint?: string[]; witness?: string[] }) => {
    const options = (['key', 'checkpoint', 'witness'] as const).flatMap((name) =>
      (given[name] ?? []).flatMap((value) => [`--${name}`, value]),
    );
    process.exitCode = await verify([...from, ...options]);
  });

command
  .command('reconcile')
  .description('compare decisions with leaves, and name what is missing')
  .option('--log <file...>', "logs of the API, a JSON line for each answer; '-' for standard input")
  .action(async ({ log = [] }: { log?: string[] }) => {
    await inApp(async (app) => {
      const { missing, answers, decisions } = await reconcile(app.get(DataSource).manager, log.map(linesOf));
      for (const line of missing) console.log(`MISSING ${line}`);
      const read =
        log.length === 0
          ? 'no log was given'
          : `${answers} answers in the logs, ${decisions} of them decisions`;
      console.log(
        `${read}; ${missing.length === 0 ? 'every decision has its leaf' : `${missing.length} missing`}`,
      );
      if (missing.length > 0) process.exitCode = 1;
    });
  });

command
  .command('keygen')
  .description('make the key of a witness, which cosigns checkpoints of others')
  .argument('<file>', 'for the private key')
  .requiredOption('--name <name>', 'of the witness, such as witness.example/1')
  .action(async (file: string, { name }: { name: string }) => {
    if (!isKeyName(name)) throw new CannotAudit('A name has neither spaces nor plus signs.');
    const { pem, vkey } = makeWitnessKey(name);
    await writeFile(file, pem, { mode: 0o600, flag: 'wx' }).catch(() => {
      throw new CannotAudit('The file cannot be written, or is there already: a key is never written over.');
    });
    console.log(vkey);
  });

command
  .command('cosign')
  .description("cosign another installation's checkpoint, if its log only grew since the last time")
  .requiredOption('--log-key <vkey...>', 'the keys of that log, from where you trust them')
  .requiredOption('--url <url>', 'of that installation')
  .requiredOption('--key <file>', 'your key, of audit keygen')
  .requiredOption('--state <file>', 'remembers the last checkpoint that you cosigned')
  .action(async (options: CosignOptions) => {
    process.stdout.write(await cosign(options));
  });

/** Opened when it is read: readline loses what comes before somebody listens. */
async function* linesOf(file: string): AsyncGenerator<string> {
  yield* createInterface({ input: file === '-' ? process.stdin : createReadStream(file) });
}
