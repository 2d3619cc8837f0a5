import { SequenceEntriesHandler } from '#audit/sequence-entries';
import { loadWorkerConfig } from '#platform/config';
import { dataSourceOptions } from '#platform/data-source';
import { DataSource, type QueryRunner } from 'typeorm';

/**
 * The worker's sequencer alone, without a pause, until it is killed. `KILL_AT`: it kills itself at that statement of a
 * turn that has work, right before it is sent, or with `KILL_AFTER=yes` when it was sent and not answered.
 */
const config = loadWorkerConfig();
const db = new DataSource(dataSourceOptions(config.databaseUrl, 'velum-sequencer'));
const at = Number(process.env['KILL_AT'] ?? 0);
const after = process.env['KILL_AFTER'] === 'yes';
let statement = 0;

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function counting(runner: QueryRunner): QueryRunner {
  const query = runner.query.bind(runner);
  runner.query = async (...args: Parameters<QueryRunner['query']>) => {
    if (++statement !== at) return query(...args);
    if (!after) die();
    const sent = query(...args);
    // Sent, as far as this process can: the driver writes in the next turn of the loop at the latest.
    setImmediate(die);
    return sent;
  };
  return runner;
}

await db.initialize();
const create = db.createQueryRunner.bind(db);
db.createQueryRunner = (...args) => counting(create(...args));
const sequencer = new SequenceEntriesHandler(db, config);
process.stdout.write('ready\n');
for (;;) {
  statement = 0;
  if ((await sequencer.execute()) > 0) process.stdout.write('turn\n');
}
