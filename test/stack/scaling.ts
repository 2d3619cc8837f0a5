import { setTimeout } from 'node:timers/promises';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { docker } from './engine.js';
import { type Ended, IMAGE, type Installation } from './installation.js';
import { Load } from './load.js';
import { randomFace, type Story } from './story.js';

const JOB_LINES = 6_000;
const LONGEST_JOB_MS = 120_000;

/** More APIs and workers, and fewer, while client apps work. */
export async function checkScaling(
  table: Table,
  server: Installation,
  client: StackClient,
  { gallery, face, verifyPath }: Story,
): Promise<void> {
  const body = JSON.stringify({ embedding: face });
  const bulk = `/v1/galleries/${gallery}/jobs?type=identify`;
  const underLoad = async (work: () => Promise<void>): Promise<{ failed: string[]; all: number }> => {
    const load = new Load(client, { path: verifyPath, body }, bulk);
    await setTimeout(1_000);
    try {
      await work();
      await setTimeout(1_000);
    } finally {
      await load.stop();
    }
    return { failed: load.failures, all: load.calls.length };
  };
  const scale = async (...args: string[]): Promise<Ended> => {
    const run = await server.run(['scale', ...args]);
    expect(run.status === 0, `scale ${args.join(' ')} ended with ${run.status}:\n${run.text}`);
    return run;
  };

  await table.check('scale refuses what the memory of the machine cannot hold', async () => {
    server.set({ API_MEMORY: '100g' });
    const { status, text } = await server.run(['scale', 'api=2']);
    server.set({ API_MEMORY: '1g', WORKER_MEMORY: '1g' });
    expect(status === 1 && text.includes('MB may be needed'), text);
    return text.split('\n').at(-1)?.slice(10) ?? '';
  });

  await table.check('scale api=2 worker=4 under load: both APIs get calls', async () => {
    let since = 0;
    const { failed, all } = await underLoad(async () => {
      await scale('api=2', 'worker=4');
      since = Math.floor(Date.now() / 1_000);
      await setTimeout(4_000);
    });
    expect(failed.length === 0, `${failed.length} of ${all} failed: ${failed[0]}`);
    const shares = [...upstreams(server, since)];
    expect(shares.length === 2 && shares.every(([, calls]) => calls > 10), JSON.stringify(shares));
    return `0 of ${all} failed; then ${shares.map(([address, calls]) => `${address}: ${calls}`).join(', ')}`;
  });

  await table.check('four workers share a job', async () => {
    const before = await itemsOfWorkers(server);
    expect(before.length === 4, `${before.length} workers`);
    const lines = Array.from({ length: JOB_LINES }, () => JSON.stringify({ embedding: randomFace() }));
    const type = { 'content-type': 'application/x-ndjson' };
    const created = await client.send('POST', bulk, lines.join('\n'), type);
    const { id } = JSON.parse(created.body) as { id: string };
    const deadline = Date.now() + LONGEST_JOB_MS;
    let job: { state: string; done: number };
    do {
      await setTimeout(200);
      job = await client.json('GET', `/v1/jobs/${id}`);
      expect(Date.now() < deadline, `the job is still ${job.state}`);
    } while (job.state !== 'ended');
    expect(job.done === JOB_LINES, `${job.done} of ${JOB_LINES} are done`);
    const after = await itemsOfWorkers(server);
    const shares = after.map((items, i) => items - (before[i] ?? 0));
    expect(shares.filter((items) => items > 0).length > 2, shares.join());
    return `${JOB_LINES} searches: ${shares.join(' + ')}`;
  });

  await table.check('one of two APIs is killed: the other serves', async () => {
    const { active } = await server.status();
    const { failed, all } = await underLoad(async () => {
      const pid = docker('inspect', '-f', '{{.State.Pid}}', server.container(`api-${active}-2`));
      process.kill(Number(pid), 'SIGKILL');
      await setTimeout(5_000);
    });
    expect(failed.length < 40, `${failed.length} of ${all} failed: ${failed[0]}`);
    return `${failed.length} of ${all} failed, which it had in hand`;
  });

  await table.check('one of two custodians is killed: the other answers', async () => {
    const { active } = await server.status();
    const { failed, all } = await underLoad(async () => {
      await scale('custodian=2');
      const [first] = server.containers(`custodian-${active}`);
      await setTimeout(4_000);
      process.kill(Number(docker('inspect', '-f', '{{.State.Pid}}', first ?? '')), 'SIGKILL');
      await setTimeout(5_000);
    });
    expect(failed.length < 40, `${failed.length} of ${all} failed: ${failed[0]}`);
    return `${failed.length} of ${all} failed, which it had in hand`;
  });

  await table.check('a deploy keeps both, and scaling down fails no call', async () => {
    const { failed, all } = await underLoad(async () => {
      const run = await server.run(['deploy', '--image', IMAGE]);
      expect(run.status === 0, run.text);
      const { active, services } = await server.status();
      expect(services[`api-${active}-2`]?.health === 'healthy', 'the new colour has one API');
      expect((await itemsOfWorkers(server)).length === 4, 'the new colour has not four workers');
      expect(server.containers(`custodian-${active}`).length === 2, 'the new colour has one custodian');
      await scale('api=1', 'worker=1', 'custodian=1');
    });
    expect(failed.length === 0, `${failed.length} of ${all} failed: ${failed[0]}`);
    const { active, services } = await server.status();
    expect(services[`api-${active}-2`] === undefined, 'the second API is still there');
    expect((await itemsOfWorkers(server)).length === 1, 'there is more than one worker');
    return `0 of ${all} failed`;
  });
}

/** How many calls each API answered, by its address. */
function upstreams(server: Installation, since: number): Map<string, number> {
  const calls = new Map<string, number>();
  for (const line of docker('logs', '--since', String(since), server.container('nginx')).split('\n')) {
    const address = /"upstream":"([\d.]+):3000"/.exec(line)?.[1];
    if (address !== undefined) calls.set(address, (calls.get(address) ?? 0) + 1);
  }
  return calls;
}

/** How many items of bulk jobs each worker of the serving colour has ended, by its own metrics. */
async function itemsOfWorkers(server: Installation): Promise<number[]> {
  const { active } = await server.status();
  const script = `fetch('http://127.0.0.1:9465/metrics').then((answer) => answer.text()).then((text) => console.log(text))`;
  return server.containers(`worker-${active}`).map((container) =>
    docker('exec', container, 'node', '-e', script)
      .split('\n')
      .filter((line) => line.startsWith('velum_job_items_total{'))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0),
  );
}
