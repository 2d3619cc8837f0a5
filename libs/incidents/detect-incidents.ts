import { CheckLog } from '#audit/check-log';
import type { Config } from '#platform/config';
import type { DetectionConfig } from '#platform/detection-config';
import { CONFIG } from '#platform/platform.module';
import { Inject } from '@nestjs/common';
import { Command, CommandBus, CommandHandler, type ICommandHandler, QueryBus } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import {
  type Finding,
  type MatchHour,
  type RefusalCount,
  repeatedRefusals,
  startOfHour,
  unusualRates,
} from './internal/detectors.js';
import { IncidentAlarm } from './internal/incident-alarm.js';
import { ReportInconsistency } from './report-inconsistency.js';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

/** Looks for what nobody has reported; opens an incident for each cause that has none. Answers how many are new. */
export class DetectIncidents extends Command<number> {}

@CommandHandler(DetectIncidents)
export class DetectIncidentsHandler implements ICommandHandler<DetectIncidents> {
  private readonly config: DetectionConfig;

  constructor(
    private readonly db: DataSource,
    private readonly alarm: IncidentAlarm,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    @Inject(CONFIG) { detection }: Config,
  ) {
    this.config = detection;
  }

  async execute(): Promise<number> {
    const now = new Date();
    // One that fails keeps no other from looking.
    const looked = await Promise.allSettled([
      this.refusals(now),
      this.rates(now),
      this.brokenBindings(now),
      this.auditLog(),
    ]);
    const findings = looked.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
    let opened = 0;
    for (const finding of findings) if (await this.alarm.raise(finding, now)) opened++;
    const failures = looked.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    if (failures.length > 0) throw new AggregateError(failures, 'a detector could not look');
    return opened;
  }

  private async auditLog(): Promise<Finding[]> {
    const fault = await this.queries.execute(new CheckLog());
    if (fault !== undefined) await this.commands.execute(new ReportInconsistency(fault));
    return [];
  }

  private async refusals(now: Date): Promise<Finding[]> {
    const from = new Date(now.getTime() - this.config.refusalMinutes * MINUTE_MS);
    const counts = await this.db.query<RefusalCount[]>(
      'SELECT kind, cause, refusals::float8 AS refusals FROM audited_refusals($1, $2)',
      [from, this.config.refusals],
    );
    return repeatedRefusals(counts, from, this.config);
  }

  private async rates(now: Date): Promise<Finding[]> {
    await this.countHours(now);
    const hours = await this.db.query<MatchHour[]>(
      // A gallery is its client's, so whoever is below the floor has none above it.
      `SELECT hour, client_id AS "clientId", gallery_id AS "galleryId", matches::float8 AS matches FROM match_hour
       WHERE hour >= $1 AND client_id IN (
         SELECT client_id FROM match_hour WHERE hour = $2 GROUP BY client_id HAVING sum(matches) >= $3)`,
      [
        new Date(startOfHour(now).getTime() - this.config.matchDays * DAY_MS),
        startOfHour(now),
        this.config.matches,
      ],
    );
    return unusualRates(hours, now, this.config);
  }

  /** The hour of now and, once more, the last that was counted: an entry commits some time after its id was made. */
  private async countHours(now: Date): Promise<void> {
    const hour = startOfHour(now);
    await this.db.query(
      `INSERT INTO match_hour (hour, client_id, gallery_id, matches)
       SELECT h, m.client_id, m.gallery_id, m.matches
       FROM generate_series(
              greatest((SELECT max(hour) FROM match_hour WHERE hour <= $1), $1::timestamptz - interval '1 day'),
              $1, interval '1 hour') AS h,
            LATERAL audited_matches(h, h + interval '1 hour') AS m
       ON CONFLICT (hour, client_id, gallery_id)
         -- What is forgotten of an erased person happened all the same.
         DO UPDATE SET matches = greatest(EXCLUDED.matches, match_hour.matches)`,
      [hour],
    );
    await this.db.query('DELETE FROM match_hour WHERE hour < $1', [
      new Date(hour.getTime() - (this.config.matchDays + 1) * DAY_MS),
    ]);
  }

  /** Those that were met since the last incident about them: what was looked at is not brought up again. */
  private async brokenBindings(now: Date): Promise<Finding[]> {
    const [last] = await this.db.query<{ at: Date | null }[]>(
      `SELECT max(opened_at) AS at FROM incident WHERE detector = 'binding_broken'`,
    );
    const from = new Date(Math.max(last?.at?.getTime() ?? 0, now.getTime() - 7 * DAY_MS));
    const [found] = await this.db.query<{ count: number }[]>(
      `SELECT count_audited('template.binding_broken', $1)::float8 AS count`,
      [from],
    );
    const count = found?.count ?? 0;
    return count === 0 ? [] : [{ detector: 'binding_broken', cause: 'templates', count, from }];
  }
}
