import { setTimeout } from 'node:timers/promises';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { derivedImage, docker } from './engine.js';
import { type Ended, IMAGE, type Installation } from './installation.js';
import { Load } from './load.js';
import type { Story } from './story.js';

/** Deploys and rollbacks while client apps work. */
export async function checkSwitching(
  table: Table,
  server: Installation,
  client: StackClient,
  { gallery, face, verifyPath }: Story,
): Promise<void> {
  const body = JSON.stringify({ embedding: face });
  const underLoad = async (work: () => Promise<Ended[]>, wanted?: number): Promise<string> => {
    const load = new Load(client, { path: verifyPath, body }, `/v1/galleries/${gallery}/jobs?type=identify`);
    await setTimeout(3_000);
    const begun = Date.now();
    const runs = await work();
    const ended = Date.now();
    await setTimeout(3_000);
    await load.stop();
    const switches = runs.flatMap(({ lines }) =>
      lines.filter(({ line }) => line.includes('switching from')).map(({ at }) => at),
    );
    const { failures, calls } = load;
    expect(failures.length === 0, `${failures.length} of ${calls.length} failed: ${failures[0]}`);
    expect(switches.length === (wanted ?? switches.length), `${switches.length} switches, not ${wanted}`);
    const jobs = await load.settle();
    for (const at of switches) expect(load.underWay(at) > 0, 'nothing was under way at a switch');
    const p99 = switches.map((at) => load.percentile(0.99, at - 1_000, at + 1_000));
    const during = `p99 within 1 s of a switch ${p99.join(', ')} ms, in all ${load.percentile(0.99, begun, ended)} ms`;
    const counted = `0 of ${calls.length} failed, each line of ${jobs} bulk jobs has one result, ${switches.length} switches`;
    return `${counted}${switches.length > 0 ? `, ${during}` : ''}`;
  };
  const succeed = async (...args: string[]): Promise<Ended> => {
    const run = await server.run(args);
    expect(run.status === 0, `deploy.sh ${args.join(' ')} ended with ${run.status}:\n${run.text}`);
    return run;
  };

  await table.check('load through three deploys and two rollbacks', () =>
    underLoad(
      async () => [
        await succeed('deploy', '--image', IMAGE),
        await succeed('rollback'),
        await succeed('deploy', '--image', IMAGE),
        await succeed('rollback'),
        await succeed('deploy', '--image', IMAGE),
      ],
      5,
    ),
  );

  const bad = [
    {
      what: 'crashes at start',
      lines: ['CMD ["-e", "process.exit(1)"]'],
      says: 'it does not get healthy',
    },
    // It calls itself healthy and matches nobody.
    {
      what: 'cannot do its work',
      lines: ['USER root', 'RUN rm dist/libs/biometrics/match.worker.js', 'USER 10001:10001'],
      says: 'the smoke test failed',
    },
  ];
  for (const { what, lines, says } of bad) {
    await table.check(`an image that ${what} gets no traffic`, async () => {
      const image = derivedImage(`${IMAGE}-bad`, IMAGE, lines);
      const { active } = await server.status();
      const measured = await underLoad(async () => {
        const run = await server.run(['deploy', '--image', image]);
        expect(run.status === 1 && run.text.includes(says), `ended with ${run.status}:\n${run.text}`);
        return [run];
      });
      expect((await server.status()).active === active, 'the colour has changed');
      return `${measured}; "${says}"`;
    });
  }

  for (const stage of ['migrations', 'starting api-', 'smoke test', 'switching from', 'takes over']) {
    await table.check(`kill -9 of deploy.sh at "${stage}", then a deploy`, () =>
      underLoad(async () => {
        const killed = await server.run(['deploy', '--image', IMAGE], stage);
        expect(killed.status === -1, `it was not killed but ended with ${killed.status}`);
        return [await succeed('deploy', '--image', IMAGE)];
      }),
    );
  }

  const others = ['preflight', 'PostgreSQL and Redis', 'roles', 'starting custodian-', 'watching'];
  await table.check(`kill -9 at "${others.join('", at "')}", one after the other, then a deploy`, () =>
    underLoad(async () => {
      for (const stage of others) {
        const killed = await server.run(['deploy', '--image', IMAGE], stage);
        expect(killed.status === -1, `it was not killed at "${stage}" but ended with ${killed.status}`);
      }
      return [await succeed('deploy', '--image', IMAGE)];
    }),
  );

  await table.check('an image of before is removed by a deploy, unless it is the way back', async () => {
    const label = [`LABEL velum.project=${server.project}`];
    const [old, next] = ['old', 'next'].map((name) =>
      derivedImage(`${IMAGE}-${name}`, IMAGE, [...label, `ENV A=${name}`]),
    );
    await succeed('deploy', '--image', next ?? '');
    await succeed('deploy', '--image', IMAGE);
    const left = docker('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}').split('\n');
    expect(!left.includes(old ?? '') && left.includes(next ?? ''), left.join(', '));
    await succeed('rollback');
    return 'removed, and kept';
  });

  await table.check('two deploys at once: one is turned away', async () => {
    const first = server.run(['deploy', '--image', IMAGE]);
    await setTimeout(1_000);
    const second = await server.run(['deploy', '--image', IMAGE]);
    expect(second.status === 75, `the second ended with ${second.status}: ${second.text}`);
    expect((await first).status === 0, `the first ended with ${(await first).status}`);
    return 'exit code 75 and 0';
  });
}
