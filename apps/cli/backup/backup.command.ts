import { makeKeyPair } from '#backup/age-file';
import { archiveLogs } from '#backup/archive-logs';
import { BadBackup, CannotBackUp } from '#backup/cannot-back-up';
import { listBackups } from '#backup/list-backups';
import { makeBackup } from '#backup/make-backup';
import { openStore } from '#backup/open-store';
import { pruneBackups } from '#backup/prune-backups';
import { openSecrets, sealSecrets, writeSecrets } from '#backup/secrets-file';
import { signAnew } from '#backup/sign-anew';
import { verifyBackup } from '#backup/verify-backup';
import { backupDatabaseUrl, loadBackupEnvironment, loadSecretTexts } from '#platform/config';
import { Command, InvalidArgumentError } from 'commander';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { identityOption, readIdentities, requireIdentities } from './identity-option.js';
import { asLine } from './report.js';
import { scheduleCommand } from './schedule.command.js';

interface WithIdentity {
  readonly identity?: string;
}

const HOUR_MS = 3_600_000;

export const command = new Command('backup').description(
  'make, list, check and prune backups (BACKUP_TARGET)',
);

command
  .command('keygen')
  .description('make a key pair: the private key goes to a file that no server keeps')
  .argument('<file>', 'for the private key')
  .action(async (file: string) => {
    const { identity, recipient } = await makeKeyPair();
    const text = `# public key: ${recipient}\n${identity}\n`;
    await writeFile(file, text, { mode: 0o600, flag: 'wx' }).catch(() => {
      throw new CannotBackUp('The file cannot be written, or is there already: a key is never written over.');
    });
    console.log(recipient);
  });

command
  .command('run')
  .description('make a backup, read it back, and remove those that are no longer to be kept')
  .option('--no-prune', 'remove no backup')
  .addOption(identityOption())
  .option('--json', 'print JSON')
  .action(async ({ prune, identity, json }: WithIdentity & { prune: boolean; json?: true }) => {
    const { backup, keyring, redis } = loadBackupEnvironment();
    const identities = readIdentities(identity);
    const store = openStore(backup.target);
    const source = { databaseUrl: backupDatabaseUrl(), recipients: backup.recipients, keyring, redis };
    const manifest = await makeBackup(source, store);
    if (identities.length > 0) await verifyBackup(store, manifest.id, keyring, identities);
    const pruned = prune ? await pruneBackups(store, backup.retention, keyring, new Date()) : undefined;
    if (redis !== undefined && manifest.redis === null) console.error('No snapshot of Redis could be taken.');
    if (json === true) console.log(JSON.stringify({ manifest, pruned }));
    else console.log(`${asLine(manifest)}\nRemoved: ${pruned?.backups.join(', ') || 'none'}.`);
  });

command
  .command('list')
  .description('list the backups, newest last')
  .option('--max-age-hours <n>', 'fail if the newest good one is older', parseHours)
  .option('--json', 'print JSON')
  .action(async ({ maxAgeHours, json }: { maxAgeHours?: number; json?: true }) => {
    const { backup, keyring } = loadBackupEnvironment();
    const { good, bad } = await listBackups(openStore(backup.target), keyring);
    if (json === true) console.log(JSON.stringify({ good, bad }));
    else for (const line of [...good.map(asLine), ...bad.map((id) => `${id}  BAD`)]) console.log(line);
    const newest = new Date(good.at(-1)?.takenAt ?? 0).getTime();
    if (maxAgeHours !== undefined && Date.now() - newest > maxAgeHours * HOUR_MS) {
      throw new BadBackup(`No good backup was taken in the last ${maxAgeHours} hours.`);
    }
    if (bad.length > 0) throw new BadBackup('Some backups are not what was written.');
  });

command
  .command('verify')
  .description('read a backup to its end; with --identity decrypt and parse it too')
  .argument('[backup]', 'an id, or latest', 'latest')
  .addOption(identityOption())
  .action(async (wanted: string, { identity }: WithIdentity) => {
    const { backup, keyring } = loadBackupEnvironment();
    const identities = readIdentities(identity);
    const manifest = await verifyBackup(openStore(backup.target), wanted, keyring, identities);
    console.log(
      `${asLine(manifest)}\n${identities.length > 0 ? 'Read, decrypted and parsed' : 'Read'} to its end.`,
    );
  });

command
  .command('prune')
  .description('remove the backups that are no longer to be kept')
  .action(async () => {
    const { backup, keyring } = loadBackupEnvironment();
    const { backups, abandoned } = await pruneBackups(
      openStore(backup.target),
      backup.retention,
      keyring,
      new Date(),
    );
    console.log(`Removed: ${[...backups, ...abandoned].join(', ') || 'none'}.`);
  });

command
  .command('sign-anew')
  .description(
    'sign the backups of an old key of db_encryption_key with the first, before the old one is removed',
  )
  .action(async () => {
    const { backup, keyring } = loadBackupEnvironment();
    const signed = await signAnew(openStore(backup.target), keyring);
    console.log(`Signed with ${keyring.currentKeyId}: ${signed.join(', ') || 'none'}.`);
  });

command
  .command('secrets')
  .description('write the secrets to a file of their own, encrypted for another key than the data')
  .argument('<file>', 'to write, - for standard output')
  .requiredOption('--recipient <age1…>', 'the public key')
  .action(async (file: string, { recipient }: { recipient: string }) => {
    const { secrets, dataRecipients } = loadSecretTexts();
    if (dataRecipients.includes(recipient)) {
      throw new CannotBackUp(
        'That key reads the data too: whoever finds it would have both. Make another one.',
      );
    }
    if (file === '-') await pipeline(sealSecrets(secrets, [recipient]), process.stdout);
    else await writeSecrets(file, secrets, [recipient]);
    const tell = file === '-' ? console.error : console.log;
    tell(`${Object.keys(secrets).join(', ')}: keep them, and their private key, apart from the data.`);
  });

command
  .command('open-secrets')
  .description('put the secrets of such a file into a folder, for SECRETS_DIR')
  .argument('<file>', 'that backup secrets wrote')
  .requiredOption('--into <folder>', 'where they are to be')
  .addOption(identityOption())
  .action(async (file: string, { into, identity }: WithIdentity & { into: string }) => {
    const names = await openSecrets(createReadStream(file), requireIdentities(identity), into);
    console.log(`${names.join(', ')}: in ${into}.`);
  });

command
  .command('logs')
  .description('store the compressed logs of days that are over, and remove them from the folder')
  .argument('[folder]', 'where Fluentd writes them (LOG_ARCHIVE_DIR)')
  .option('--json', 'print JSON')
  .action(async (given: string | undefined, { json }: { json?: true }) => {
    const { backup } = loadBackupEnvironment();
    const folder = given ?? backup.logArchive;
    if (folder === undefined) {
      console.log('No logs are collected here: LOG_ARCHIVE_DIR is not set.');
      return;
    }
    const archive = await archiveLogs(folder, openStore(backup.target), backup, new Date());
    const { shipped, unreadable, removed } = archive;
    if (json === true) console.log(JSON.stringify(archive));
    else console.log(`Stored: ${shipped.join(', ') || 'none'}.\nRemoved: ${removed.join(', ') || 'none'}.`);
    if (unreadable.length > 0) {
      throw new BadBackup(`Cut off or changed, and left where they are: ${unreadable.join(', ')}.`);
    }
  });

command.addCommand(scheduleCommand(command));

function parseHours(text: string): number {
  const hours = Number(text);
  if (!(hours > 0)) throw new InvalidArgumentError('Hours are a number above 0.');
  return hours;
}
