import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from './check.js';
import type { StackClient } from './client.js';
import type { Installation } from './installation.js';

const VERIFIER = 'libs/audit/verifier/verify-audit.mjs';
const MOST_TRIES = 120;

/** Checks the audit log from outside, with what an auditor keeps: public keys and checkpoints. */
export class Auditor {
  private readonly keys = new Set<string>();
  private readonly held: string[] = [];

  /** `folder`: where the auditor keeps files. */
  constructor(
    private readonly server: Installation,
    private readonly folder: string,
  ) {}

  /** Keeps the newest checkpoint: whatever is verified from now on must go on from it. */
  async hold(client: StackClient): Promise<void> {
    await this.untilCovered(client);
    const path = join(this.folder, `checkpoint-${this.held.length + 1}`);
    writeFileSync(path, (await client.send('GET', '/audit/checkpoint')).body);
    this.held.push(path);
    this.keys.add(await this.key(client));
  }

  /** Every leaf, every checkpoint, and those that are held; answers what the verifier says at its end. */
  async verify(client: StackClient): Promise<string> {
    await this.untilCovered(client);
    const log = join(this.folder, 'export.ndjson');
    const { status, body } = await client.send('GET', '/v1/admin/audit/export');
    expect(status === 200, `the export was answered ${status}: ${body.slice(0, 200)}`);
    writeFileSync(log, body);
    // What a restore in between signed under its own name is gone with it.
    const keys = [...new Set([...this.keys, await this.key(client)])].flatMap((key) => ['--key', key]);
    const held = this.held.flatMap((path) => ['--checkpoint', path]);
    const run = spawnSync(process.execPath, [VERIFIER, log, ...keys, ...held], { encoding: 'utf8' });
    expect(run.status === 0, run.stdout + run.stderr);
    const verdict = run.stdout.trim().split('\n').at(-1) ?? '';
    return verdict.slice(verdict.indexOf(': ') + 2);
  }

  private async key(client: StackClient): Promise<string> {
    const key = (await client.send('GET', '/audit/key')).body.trim();
    // The log of a restored database has another name, and the same key.
    for (const known of this.keys)
      expect(known.split('+').at(-1) === key.split('+').at(-1), 'the key is another');
    return key;
  }

  /** Until a checkpoint covers what was recorded so far. */
  private async untilCovered(client: StackClient): Promise<void> {
    const recorded = Number(
      this.server.query('SELECT (SELECT count(*) FROM audit_leaf) + (SELECT count(*) FROM audit_pending)'),
    );
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const { body } = await client.send('GET', '/audit/checkpoint');
      if (Number(body.split('\n')[1]) >= recorded) return;
      await setTimeout(500);
    }
    throw new Error('what was recorded a minute ago is covered by no checkpoint');
  }
}
