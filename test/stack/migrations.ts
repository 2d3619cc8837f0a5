import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { derivedImage, docker } from './engine.js';
import { type Ended, IMAGE, type Installation } from './installation.js';
import type { Story } from './story.js';
import { underLoad } from './under-load.js';

/** Migrations that suit the version that serves, and others, while client apps work. */
export async function checkMigrations(
  table: Table,
  server: Installation,
  client: StackClient,
  story: Story,
): Promise<void> {
  const deploy = (image: string): Promise<Ended> => server.run(['deploy', '--image', image]);
  const schema = (): string =>
    docker(
      'exec',
      server.container('postgres'),
      'bash',
      '-c',
      'pg_dump -U postgres -s velum | grep -v restrict',
    );

  await table.check('a migration that breaks the version that serves is refused', async () => {
    const image = imageWith(
      'bad',
      `ALTER TABLE subject RENAME COLUMN reference TO name; DROP INDEX consent_one_open;
       CREATE OR REPLACE FUNCTION custody.keep_used() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN RAISE EXCEPTION 'nobody is enrolled any more'; END $$`,
    );
    const [before, { active }] = [schema(), await server.status()];
    const measured = await underLoad(client, story, async () => {
      const { status, text } = await deploy(image);
      expect(status === 3, `it ended with ${status}: ${text}`);
      expect(text.includes('public.subject.reference is gone'), text);
      expect(text.includes('public.consent.consent_one_open is gone (unique)'), text);
      expect(text.includes('custody.keep_used() does something else than it did'), text);
    });
    expect(schema() === before, 'the schema has changed');
    expect((await server.status()).active === active, 'the colour has changed');
    return `exit code 3, all three breaks named, the schema as before; ${measured}`;
  });

  await table.check('a rollback after a refusal is as before it', async () => {
    await succeed(server, 'deploy', '--image', IMAGE);
    const { status } = await deploy(imageWith('bad', 'DROP TABLE webhook CASCADE'));
    expect(status === 3, `it ended with ${status}`);
    await succeed(server, 'rollback');
    return 'exit code 3, then 0';
  });

  const expansion = 'ALTER TABLE subject ADD COLUMN nickname text; CREATE TABLE hobby (id integer)';
  await table.check('a migration that only adds is deployed', () => {
    const image = imageWith('good', expansion);
    return underLoad(client, story, async () => void (await succeed(server, 'deploy', '--image', image)));
  });

  await table.check(
    'what the version that serves has retired is removed, and the one before it is forgotten',
    async () => {
      const steps = [
        imageWith('retiring', expansion, ['public.subject.nickname', 'public.hobby']),
        imageWith('contracting', expansion, [], 'ALTER TABLE subject DROP COLUMN nickname; DROP TABLE hobby'),
      ];
      const early = await deploy(steps[1] ?? '');
      expect(early.status === 3, `while it was in use: ${early.status} ${early.text}`);
      const measured = await underLoad(client, story, async () => {
        for (const image of steps) await succeed(server, 'deploy', '--image', image);
      });
      expect(!schema().includes('nickname'), 'the column is still there');
      await succeed(server, 'rollback');
      return `exit code 3 before it was retired; ${measured}; a rollback to the one that retired it works`;
    },
  );

  await succeed(server, 'deploy', '--image', IMAGE);
  // A backup of a database with migrations that the image does not know is one of a newer version, which it refuses.
  server.query("DELETE FROM schema_migration WHERE name LIKE 'Test2%'");
}

async function succeed(server: Installation, ...args: string[]): Promise<Ended> {
  const run = await server.run(args);
  expect(run.status === 0, `deploy.sh ${args.join(' ')} ended with ${run.status}:\n${run.text}`);
  return run;
}

/** The image with one more migration, or two, and what it has retired. */
function imageWith(name: string, sql: string, retired: readonly string[] = [], later?: string): string {
  const folder = 'dist/libs/platform/migrations';
  const lines = [sql, later].flatMap((each, i) =>
    each === undefined
      ? []
      : [`${className(each, i)}.prototype.up = (runner) => runner.query(${JSON.stringify(each)});`],
  );
  const classes = [sql, later].flatMap((each, i) =>
    each === undefined
      ? []
      : [
          `class ${className(each, i)} { name = '${className(each, i)}'; }`,
          `MIGRATIONS.push(${className(each, i)});`,
        ],
  );
  const script = [...classes, ...lines, ''].join('\n');
  return derivedImage(`${IMAGE}-${name}`, IMAGE, [
    'USER root',
    `RUN echo ${encoded(script)} | base64 -d >>${folder}/all.js`,
    `RUN echo ${encoded(`export const RETIRED = ${JSON.stringify(retired)};\n`)} | base64 -d >${folder}/retired.js`,
    'USER 10001:10001',
  ]);
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** TypeORM orders migrations by the thirteen digits at the end. The same text has the same name in every image. */
function className(sql: string, place: number): string {
  const sum = [...sql].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) % 1e9, 7);
  return `Test${2_000_000_000_000 + place * 1e10 + sum}`;
}
