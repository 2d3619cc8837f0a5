import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { decrypt, parseIdentities } from '#backup/age-file';
import { Auditor } from './auditor.js';
import { Bucket } from './bucket.js';
import { expect, type Table } from './check.js';
import { StackClient } from './client.js';
import { ownAddress } from './doors.js';
import { docker } from './engine.js';
import { checkContainers } from './hardening.js';
import { type Ended, IMAGE, type Installation } from './installation.js';
import {
  filesBelow,
  inHexadecimal,
  lookThrough,
  lookThroughStream,
  type Needle,
  vectorNeedles,
} from './plaintext.js';
import { addressOfClients, photographNeedles, photographOfNobody, secretNeedles } from './private-words.js';
import { type Person, Roll } from './roll.js';
import { randomFace, sendPhotograph, uploadPhotograph } from './story.js';

/** A backup, the loss of everything but what an operator keeps apart, and a server that serves again. */
export async function checkRecovery(table: Table, server: Installation): Promise<void> {
  // Beside the installation: what is kept elsewhere, and the disk of the server that replaces it.
  const beside = join(dirname(server.folder), 'recovery');
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside, { recursive: true });
  const kept = (name: string): string => join(beside, name);
  const bucket = await Bucket.open(kept('s3'));
  try {
    await new Recovery(table, server, bucket, kept).prove();
  } finally {
    await bucket.close();
  }
}

class Recovery {
  private readonly settings: Readonly<Record<string, string>>;
  private readonly recipients: readonly string[];
  private credentials = { clientId: '', clientSecret: '' };
  private client: StackClient;
  private roll!: Roll;
  private stays!: Person;
  private erased!: Person;
  private withdrawn!: Person;
  private audited: readonly string[] = [];
  private readonly auditor: Auditor;

  constructor(
    private readonly table: Table,
    private readonly server: Installation,
    private readonly bucket: Bucket,
    private readonly kept: (name: string) => string,
  ) {
    this.recipients = ['data.key', 'secrets.key'].map((name) => this.keygen(name));
    this.settings = {
      BACKUP_TARGET: bucket.target,
      BACKUP_S3_ENDPOINT: `http://${ownAddress()}:${bucket.port}`,
      BACKUP_RECIPIENTS: this.recipients[0] ?? '',
      BACKUP_JOURNAL_SECONDS: '1',
    };
    this.client = new StackClient(server.httpsPort, server.certificate);
    this.auditor = new Auditor(server, kept('.'));
  }

  async prove(): Promise<void> {
    await this.withoutTarget();
    await this.backUp();
    await this.scan();
    await this.refusals();
    await this.drill();
    await this.loseAll();
    await this.inPlace();
  }

  private async withoutTarget(): Promise<void> {
    await this.table.check('without BACKUP_TARGET status says that no backups are made', async () => {
      const { text } = await this.server.run(['status']);
      expect(text.includes('NO BACKUPS ARE MADE'), text);
      expect(this.server.container('backup') === '', 'a container for backups runs');
      const { status, text: refused } = await this.server.run(['backup']);
      expect(status === 1 && refused.includes('BACKUP_TARGET is not set'), refused);
      return 'NO BACKUPS ARE MADE';
    });
  }

  private async backUp(): Promise<void> {
    const { table, server } = this;
    this.credentials = await server.createClient();
    await this.client.connect(this.credentials);
    this.roll = await Roll.begin(this.client);
    [this.stays, this.erased, this.withdrawn] = [
      await this.roll.enrol(randomFace()),
      await this.roll.enrol(randomFace()),
      await this.roll.enrol(randomFace()),
    ];
    await table.check('with one, a deploy starts the daily backup, whose first is made at once', async () => {
      server.set(this.settings);
      for (const name of ['aws_access_key_id', 'aws_secret_access_key'])
        writeFileSync(join(server.folder, `secrets/${name}.txt`), 'S3RVER\n');
      await this.succeed('deploy', '--image', IMAGE);
      await until(async () => (await server.status()).services['backup']?.health === 'healthy');
      const kinds = this.bucket.names().map((name) => name.replace(/^[^.]*/, ''));
      // The last is keys/ID.json.age: the shares of key sets, of which there is one archive at a time.
      expect(kinds.join() === '.dump.age,.manifest.json,.redis.age,.json.age', kinds.join());
      return this.bucket.names().join(', ');
    });
    await checkContainers(table, server, 'with backups');
    await table.check(
      'deploy.sh backup makes another; what is erased after it reaches the bucket',
      async () => {
        await this.auditor.hold(this.client);
        const { text } = await this.succeed('backup');
        this.audited = await this.roll.auditRecords(this.stays);
        await this.roll.erase(this.erased);
        await this.roll.withdraw(this.withdrawn);
        await this.roll.enrol(randomFace());
        await until(async () => this.sql('SELECT count(*) FROM erasure_journal') === '0');
        const shipped = this.bucket.names().filter((name) => name.startsWith('erasures/'));
        expect(shipped.length > 0, 'nothing was shipped');
        const last = text.split('\n').find((line) => line.includes('templates'));
        return `${last}; ${shipped.length} shipments of erasures`;
      },
    );
    await table.check('the secrets are kept apart, encrypted for another key than the data', async () => {
      const [data = '', secrets = ''] = this.recipients;
      const { status, text } = await server.run(['backup-secrets', this.kept('x.age'), '--recipient', data]);
      expect(status === 1 && text.includes('That key reads the data too'), text);
      await this.succeed('backup-secrets', this.kept('secrets.age'), '--recipient', secrets);
      return `${readFileSync(this.kept('secrets.age')).length} bytes`;
    });
  }

  private async scan(): Promise<void> {
    await this.table.check(
      'no template, photograph, address or secret: PostgreSQL and Redis on the disk, spool, bucket, dump',
      async () => {
        const vectors = [this.stays, this.erased, this.withdrawn].flatMap(({ face }, n) =>
          vectorNeedles(`face ${n + 1}`, face),
        );
        const photograph = await photographOfNobody();
        await sendPhotograph(this.client, photograph);
        const needles = [
          ...vectors,
          ...photographNeedles(photograph),
          ...secretNeedles(this.server),
          { name: 'the address of a client', bytes: Buffer.from(addressOfClients(this.server)) },
        ];
        // An upload that waits, since nobody works: the spool holds it.
        const workers = ['worker-blue', 'worker-green']
          .map((name) => this.server.container(name))
          .filter(Boolean);
        for (const worker of workers) docker('stop', worker);
        await this.roll.upload(this.stays.face);
        await uploadPhotograph(this.client, photograph);
        this.sql('CHECKPOINT');
        const data = join(this.server.folder, 'data');
        const spooled = filesBelow(join(data, 'spool')).length;
        expect(spooled > 0, 'the spool is empty');
        const { found, bytes } = await lookThrough(
          [...filesBelow(data), ...filesBelow(this.kept('s3'))],
          needles,
        );
        for (const worker of workers) docker('start', worker);
        expect(found.length === 0, found.join('; '));
        const restored = await this.lookThroughDump(needles);
        const gallery = Buffer.from(this.roll.gallery.replaceAll('-', ''), 'hex');
        const control = await lookThrough(filesBelow(join(data, 'postgres')), [
          { name: 'id', bytes: gallery },
        ]);
        expect(control.found.length > 0, 'the search itself is blind');
        return `${needles.length} needles, ${Math.round(bytes / 2 ** 20)} MiB of files and ${restored} bytes of SQL`;
      },
    );
  }

  private async refusals(): Promise<void> {
    await this.table.check(
      'a damaged file, a wrong key and a file alone are refused, and all serve on',
      async () => {
        const copy = this.kept('copy');
        this.bucket.copyTo(copy);
        chmodSync(copy, 0o755);
        const dump = join(copy, this.newest());
        const whole = readFileSync(dump);
        const damaged = Buffer.from(whole);
        damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 1;
        const tries: [string, Buffer, string, string][] = [
          ['damaged', damaged, 'data.key', 'it was changed or cut off'],
          ['cut off', whole.subarray(0, -100), 'data.key', 'it was changed or cut off'],
          ['wrong key', whole, 'secrets.key', 'does not belong to this backup'],
        ];
        for (const [what, bytes, key, says] of tries) {
          writeFileSync(dump, bytes);
          const { status, text } = await this.restore(dump, key, '--yes');
          expect(
            status === 1 && text.includes(says) && text.includes('nothing was changed'),
            `${what}: ${text}`,
          );
        }
        writeFileSync(dump, whole);
        rmSync(join(copy, 'keys'), { recursive: true });
        const keyless = await this.restore(dump, 'data.key', '--yes');
        expect(keyless.status === 1 && keyless.text.includes('keys/ is missing'), keyless.text);
        expect(keyless.text.includes('nothing was changed'), keyless.text);
        const alone = await this.restore(this.kept('s3/nothing.dump.age'), 'data.key', '--yes');
        expect(alone.text.includes('there is no file'), alone.text);
        const { status, text } = await this.restore('latest', 'data.key');
        expect(status === 1 && text.includes('nobody said yes'), text);
        expect(await this.roll.knows(this.stays), 'the gallery is gone');
        return tries.map(([what]) => what).join(', ');
      },
    );
  }

  private async drill(): Promise<void> {
    await this.table.check('a restore drill reports, and leaves nothing', async () => {
      const left = (): string =>
        this.sql('SELECT string_agg(datname, $$,$$ ORDER BY datname) FROM pg_database') +
        docker('ps', '-aq', '--filter', `label=com.docker.compose.project=${this.server.project}`);
      const before = left();
      const { text } = await this.succeed('restore-drill', '--identity', this.kept('data.key'));
      expect(left() === before, 'something is left');
      return text.split('\n').find((line) => line.startsWith('Erased again')) ?? text;
    });
  }

  private async loseAll(): Promise<void> {
    const { table, server } = this;
    const letsencrypt = this.kept('letsencrypt');
    cpSync(join(server.folder, 'ssl/letsencrypt'), letsencrypt, { recursive: true });
    await table.check('everything is destroyed but bucket, keys and secrets.age', async () => {
      await this.succeed('cleanup', '--yes-delete-everything');
      server.replaceServer();
      return readdirSync(server.folder).join(', ');
    });
    await table.check(
      'a new server gets the secrets back, and no deploy while its disk is not mounted',
      async () => {
        const [file, key] = [this.kept('secrets.age'), this.kept('secrets.key')];
        const opened = await this.succeed('open-secrets', file, '--identity', key, '--json');
        const report = JSON.parse(opened.lines.at(-1)?.line ?? '') as Record<string, unknown>;
        expect(report['result'] === 'done', opened.text);
        cpSync(letsencrypt, join(server.folder, 'ssl/letsencrypt'), { recursive: true });
        server.attachDisk(this.kept('disk.img'));
        await server.init();
        server.set({ ...this.settings, REQUIRE_MOUNT: 'yes' });
        server.detachDisk();
        const { status, text } = await this.restore('latest', 'data.key', '--image', IMAGE);
        expect(status === 1 && text.includes('nothing is mounted on ./data'), text);
        server.attachDisk(this.kept('disk.img'));
        return text.split('\n').at(-1) ?? '';
      },
    );
    await table.check('restore brings the stack back from nothing', async () => {
      const started = Date.now();
      const { status, text } = await this.restore('latest', 'data.key', '--image', IMAGE);
      expect(status === 0, text);
      return `serves after ${Math.round((Date.now() - started) / 1_000)} s`;
    });
    await table.check('clients, tokens, galleries and audit records are there; who was erased is not', () =>
      this.asBefore(),
    );
  }

  private async inPlace(): Promise<void> {
    await this.table.check(
      'a restore that fails leaves the database as it was, and all serve again',
      async () => {
        const postgres = this.server.container('postgres');
        docker('exec', '-d', postgres, 'psql', '-U', 'postgres', '-d', 'velum', '-c', 'SELECT pg_sleep(600)');
        const { status, text } = await this.restore('latest', 'data.key', '--yes');
        expect(status === 1 && text.includes('Somebody is connected'), text);
        await until(async () => (await this.roll.serves()) && this.roll.knows(this.stays));
        this.sql(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
        );
        return text.split('\n').at(-1) ?? '';
      },
    );
    await this.table.check(
      'a copy of the bucket that lacks an erasure since is refused, and all serve again',
      async () => {
        this.bucket.copyTo(this.kept('outdated'));
        await this.roll.erase(await this.roll.enrol(randomFace()));
        await until(async () => this.sql('SELECT count(*) FROM erasure_journal') === '0');
        const { status, text } = await this.restore(
          join(this.kept('outdated'), this.newest()),
          'data.key',
          '--yes',
        );
        expect(status === 1 && text.includes('who was erased since would be back'), text);
        await until(async () => (await this.roll.serves()) && this.roll.knows(this.stays));
        return text.split('\n').find((line) => line.includes('would be back')) ?? '';
      },
    );
    await this.table.check(
      'restore from a file, over a database that is there, keeps that under another name',
      async () => {
        const late = await this.roll.enrol(randomFace());
        this.bucket.copyTo(this.kept('downloaded'));
        const { status, text } = await this.restore(
          join(this.kept('downloaded'), this.newest()),
          'data.key',
          '--yes',
        );
        expect(status === 0, text);
        const aside = /kept as (velum_before_\d+)/.exec(text)?.[1] ?? '';
        expect(this.sql(`SELECT count(*) FROM pg_database WHERE datname = '${aside}'`) === '1', text);
        expect(!(await this.roll.knows(late)), 'what came after the backup is there');
        await this.asBefore();
        return aside;
      },
    );
  }

  private async asBefore(): Promise<string> {
    // With the token of before, and with the secret of before.
    expect(await this.roll.knows(this.stays), 'the face is not known any more');
    await this.client.connect(this.credentials);
    expect((await this.roll.find(this.stays.face)).join() === this.stays.subject, 'the face is not found');
    for (const gone of [this.erased, this.withdrawn]) {
      expect((await this.roll.find(gone.face)).length === 0, 'an erased face is found');
      expect(!(await this.roll.knows(gone)), 'an erased face is known');
    }
    const enrolments = await this.roll.auditRecords(this.erased, 'template.enrolled');
    expect(enrolments.length === 0, 'the audit log still has the enrolment of who was erased');
    const records = new Set(await this.roll.auditRecords(this.stays));
    const lost = this.audited.filter((id) => !records.has(id));
    expect(lost.length === 0, `${lost.length} audit records are lost`);
    // The checkpoint of before the backup is part of the restored log's past.
    return `${this.audited.length} audit records of who stays; the log, from outside: ${await this.auditor.verify(this.client)}`;
  }

  /** Decrypted, and in SQL, as who has the private key reads it. */
  private async lookThroughDump(needles: readonly Needle[]): Promise<number> {
    this.bucket.copyTo(this.kept('opened'));
    const identities = parseIdentities(readFileSync(this.kept('data.key'), 'utf8'));
    const image = docker('inspect', '-f', '{{.Config.Image}}', this.server.container('backup'));
    const args = ['run', '--rm', '-i', '--network', 'none', '--entrypoint', 'pg_restore', image, '--file=-'];
    const child = spawn('docker', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const dump = decrypt(createReadStream(join(this.kept('opened'), this.newest())), identities);
    const fed = (async () => {
      for await (const part of dump) child.stdin.write(part);
      child.stdin.end();
    })();
    const found: string[] = [];
    let sql = false;
    const watched = [
      ...needles,
      ...needles.map(inHexadecimal),
      { name: 'SQL', bytes: Buffer.from('COPY custody.') },
    ];
    const bytes = await lookThroughStream(child.stdout, watched, (name) => {
      if (name === 'SQL') sql = true;
      else found.push(name);
    });
    await fed;
    expect(sql, 'the dump is no SQL');
    expect(found.length === 0, `in the dump: ${found.join('; ')}`);
    return bytes;
  }

  /** The name of the newest dump. */
  private newest(): string {
    return this.bucket.names().findLast((name) => name.endsWith('.dump.age')) ?? '';
  }

  private restore(which: string, key: string, ...options: string[]): Promise<Ended> {
    return this.server.run(['restore', which, '--identity', this.kept(key), ...options]);
  }

  private async succeed(...args: string[]): Promise<Ended> {
    const run = await this.server.run(args);
    expect(run.status === 0, `deploy.sh ${args.join(' ')} ended with ${run.status}:\n${run.text}`);
    return run;
  }

  private sql(statement: string): string {
    return docker(
      'exec',
      this.server.container('postgres'),
      'psql',
      '-U',
      'postgres',
      '-d',
      'velum',
      '-qAtc',
      statement,
    );
  }

  /** On a machine that is no server: no private key was ever on one. */
  private keygen(name: string): string {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['dist/apps/cli/main.js', 'backup', 'keygen', this.kept(name)],
      { encoding: 'utf8' },
    );
    expect(existsSync(this.kept(name)), stderr);
    return stdout.trim();
  }
}

async function until(done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 180_000;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error('it did not happen within three minutes');
    await setTimeout(500);
  }
}
