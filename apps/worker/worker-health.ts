import { KeyCustodian } from '#custody/key-custodian';
import type { InternalAnswer } from '#platform/internal-server';
import { readiness } from '#platform/readiness';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';

/** For an orchestrator: a worker has no other page to answer. */
@Injectable()
export class WorkerHealth {
  constructor(
    private readonly db: DataSource,
    private readonly redis: Redis,
    private readonly custodian: KeyCustodian,
  ) {}

  ready(): Promise<InternalAnswer> {
    return readiness({
      database: this.db.query('SELECT 1'),
      redis: this.redis.ping(),
      engine: this.custodian.ready(),
    });
  }
}
