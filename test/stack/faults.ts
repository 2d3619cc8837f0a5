import { setTimeout } from 'node:timers/promises';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Auditor } from './auditor.js';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { docker } from './engine.js';
import { IMAGE, type Installation } from './installation.js';
import { Ledger } from './ledger.js';

const LONGEST_RECOVERY_MS = 120_000;
const CALM_MS = 3_000;

/** Each service killed under load: what it costs, and that nothing acknowledged is lost. */
export async function checkFaults(table: Table, server: Installation, client: StackClient): Promise<void> {
  const ledger = await Ledger.open(client);
  const spare = join(server.folder, 'state/active/spare');
  // The first colour has no other.
  if (!existsSync(spare)) await server.run(['deploy', '--image', IMAGE]);
  const { active } = await server.status();
  ledger.start();
  await setTimeout(CALM_MS);

  let spared = 0;
  const kill = (what: string, service: string, most: number): Promise<void> =>
    table.check(`kill -9 of ${what} under load`, async () => {
      const moment = Date.now();
      await killProcess(server, service);
      const seconds = ((Date.now() - moment) / 1_000).toFixed(1);
      await setTimeout(CALM_MS);
      const cost = ledger.costSince(moment);
      const unclear = cost.failed.flatMap(({ outcome }) =>
        typeof outcome === 'object' ? [outcome.unclear] : [],
      );
      expect(unclear.length === 0, `${unclear.length} unclear answers, such as ${unclear[0]}`);
      expect(ledger.wrong.length === 0, `${ledger.wrong.length} wrong answers: ${ledger.wrong[0]}`);
      const late = ledger.costSince(Date.now() - CALM_MS / 2).failed;
      expect(late.length === 0, `${late.length} calls failed after it was healthy again`);
      const cut = cost.failed.filter(({ outcome }) => outcome === 'cut').length;
      const measured =
        `${cost.failed.length} of ${cost.all} calls failed (${cut} without an answer, the others 503), the last ` +
        `${cost.seconds.toFixed(1)} s after it; longest call ${cost.longest.toFixed(1)} s; healthy after ${seconds} s`;
      expect(cost.seconds <= most, measured);
      // Who asks it says so; nobody's connection ends with it.
      if (service === `custodian-${active}`) expect(cut === 0, measured);
      if (service === `api-${active}`) spared = cost.failed.length;
      return measured;
    });

  await kill('the API that serves', `api-${active}`, 10);
  await table.check('the same without the other colour, as during a deploy', async () => {
    rmSync(spare);
    try {
      const moment = Date.now();
      await killProcess(server, `api-${active}`);
      await setTimeout(CALM_MS);
      const { failed, all, seconds } = ledger.costSince(moment);
      expect(
        failed.length > 3 * spared,
        `${failed.length} failed, and ${spared} with the other colour as a spare`,
      );
      return `${failed.length} of ${all} calls failed, the last ${seconds.toFixed(1)} s after it`;
    } finally {
      writeFileSync(spare, '');
    }
  });
  await kill('the custodian', `custodian-${active}`, 15);
  await kill('the worker', `worker-${active}`, 0);
  await kill('PostgreSQL', 'postgres', 30);
  await kill('Redis', 'redis', 30);
  await kill('nginx', 'nginx', 10);

  await ledger.stop();
  await table.check('nothing that was acknowledged is lost', async () => {
    await ledger.settle();
    expect(ledger.wrong.length === 0, ledger.wrong[0] ?? '');
    const { enrolled, erased, withdrawn, jobs } = ledger;
    const gone = erased.map(({ subjectId }) => subjectId);
    // Of who was erased the log keeps nothing but that (ADR 25).
    const standing = enrolled.map(({ subjectId }) => subjectId).filter((id) => !gone.includes(id));
    for (const [type, column, ids] of [
      ['template.enrolled', 'subject_id::text', standing],
      ['subject.erased', 'subject_id::text', gone],
      ['consent.withdrawn', 'subject_id::text', withdrawn.map(({ subjectId }) => subjectId)],
      ['job.created', "details->>'jobId'", jobs],
      ['job.ended', "details->>'jobId'", jobs],
    ] as const) {
      const records = sql(
        server,
        `SELECT ${column} FROM audit_event WHERE type = '${type}' AND outcome = 'ok'`,
      );
      const odd = ids.find((id) => records.filter((record) => record === id).length !== 1);
      expect(odd === undefined, `${odd} has not exactly one record ${type}`);
    }
    return (
      `${enrolled.length} enrolments, ${erased.length} erasures, ${withdrawn.length} withdrawals, ${jobs.length} jobs: ` +
      'all true, each with one audit record'
    );
  });
  await table.check('the audit log, from outside: every leaf, every checkpoint', () =>
    new Auditor(server, server.folder).verify(client),
  );
}

/** From outside, as the kernel does when memory ends: `docker kill` would count as the operator's wish. */
async function killProcess(server: Installation, service: string): Promise<void> {
  const container = server.container(service);
  const [pid, before] = docker('inspect', '-f', '{{.State.Pid}} {{.RestartCount}}', container).split(' ');
  process.kill(Number(pid), 'SIGKILL');
  const deadline = Date.now() + LONGEST_RECOVERY_MS;
  for (;;) {
    const state = docker('inspect', '-f', '{{.RestartCount}} {{.State.Health.Status}}', container);
    if (state === `${Number(before) + 1} healthy`) return;
    expect(Date.now() < deadline, `${service} is ${state} two minutes after it was killed`);
    await setTimeout(100);
  }
}

function sql(server: Installation, query: string): string[] {
  return docker('exec', server.container('postgres'), 'psql', '-qtA', '-U', 'postgres', 'velum', '-c', query)
    .split('\n')
    .filter(Boolean);
}
