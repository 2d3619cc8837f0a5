import { KeyCustodian } from '#custody/key-custodian';
import type { InternalAnswer } from '#platform/internal-server';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { setTimeout } from 'node:timers/promises';
import { DataSource } from 'typeorm';

const LONGEST_CHECK_MS = 2_000;

/** For an orchestrator: a worker has no other page to answer. */
@Injectable()
export class WorkerHealth {
  constructor(
    private readonly db: DataSource,
    private readonly redis: Redis,
    private readonly custodian: KeyCustodian,
  ) {}

  async live(): Promise<InternalAnswer> {
    return json(200, { status: 'ok' });
  }

  async ready(): Promise<InternalAnswer> {
    const checks = {
      database: this.db.query('SELECT 1'),
      redis: this.redis.ping(),
      engine: this.custodian.ready(),
    };
    const parts = await Promise.all(
      Object.entries(checks).map(async ([part, check]) => [part, (await works(check)) ? 'up' : 'down']),
    );
    const up = parts.every(([, state]) => state === 'up');
    return json(up ? 200 : 503, { status: up ? 'ok' : 'error', ...Object.fromEntries(parts) });
  }
}

async function works(check: Promise<unknown>): Promise<boolean> {
  const late = setTimeout(LONGEST_CHECK_MS, false, { ref: false });
  return Promise.race([check.then(() => true).catch(() => false), late]);
}

function json(status: number, body: object): InternalAnswer {
  return { status, type: 'application/json', body: JSON.stringify(body) };
}
