import { KeyCustodian } from '#custody/key-custodian';
import { FacePool } from '#faces/face-pool';
import type { FieldProblem } from '#platform/domain-error';
import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
  TypeOrmHealthIndicator,
} from '@nestjs/terminus';
import { Redis } from 'ioredis';
import { setTimeout } from 'node:timers/promises';
import { Public } from '../auth/scopes.decorator.js';
import { Problems } from '../openapi/operation.decorator.js';
import { InternalError, NotReady } from '../problem/http.errors.js';
import { Unlimited } from '../rate-limit/rate-limit.guards.js';

/** Whoever asks gives up after four seconds. */
const LONGEST_CHECK_MS = 2_000;

@ApiTags('Health')
@Controller('health')
@Public()
@Unlimited()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: TypeOrmHealthIndicator,
    private readonly indicator: HealthIndicatorService,
    private readonly redis: Redis,
    private readonly custodian: KeyCustodian,
    private readonly faces: FacePool,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Whether the process lives', description: 'Says nothing of the parts it needs.' })
  @ApiResponse({ status: 200, description: 'It lives.' })
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @HealthCheck()
  @ApiOperation({
    summary: 'Whether the process can do its work',
    description: 'Database, Redis, the homomorphic engine, the face pipeline.',
  })
  @Problems(NotReady, InternalError)
  async ready(): Promise<HealthCheckResult> {
    try {
      return await this.health.check([
        () => this.database.pingCheck('database', { timeout: LONGEST_CHECK_MS }),
        () => this.check('redis', async () => (await this.redis.ping()) === 'PONG'),
        () => this.check('engine', () => this.custodian.ready().then(() => true)),
        () => this.check('faces', async () => this.faces.ready),
      ]);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      throw new NotReady(downParts(error.getResponse()));
    }
  }

  private async check(key: string, works: () => Promise<boolean>): Promise<HealthIndicatorResult> {
    const indicator = this.indicator.check(key);
    const late = setTimeout(LONGEST_CHECK_MS, false, { ref: false });
    const up = await Promise.race([works().catch(() => false), late]);
    return up ? indicator.up() : indicator.down();
  }
}

/** Terminus lists what is down under `error`, by name. */
function downParts(result: string | object): FieldProblem[] {
  const down = typeof result === 'object' && 'error' in result ? result.error : undefined;
  return Object.keys(typeof down === 'object' && down !== null ? down : {}).map((field) => ({
    field,
    message: 'down',
  }));
}
