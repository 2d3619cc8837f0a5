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
  type OpenedDay,
  type RefusalCount,
  repeatedRefusals,
  startOfHour,
  unauditedOpenings,
  unusualRates,
} from './internal/detectors.js';
import { IncidentAlarm } from './internal/incident-alarm.js';
import { ReportInconsistency } from './report-inconsistency.js';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

/** A chunk of a job opens before it records, and what is under way is not yet missing. */
const SETTLED_MS = 10 * MINUTE_MS;

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
      this.custodyRefusals(now),
      this.hours(now),
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

  /** The custodian's own: an API or a worker that was taken over need not record that it was refused. */
  private async custodyRefusals(now: Date): Promise<Finding[]> {
    const from = new Date(now.getTime() - this.config.refusalMinutes * MINUTE_MS);
    const counts = await this.db.query<RefusalCount[]>(
      `SELECT 'gallery' AS kind, gallery_id AS cause, refusals::float8 AS refusals FROM custody_refusals($1, $2)`,
      [from, this.config.refusals],
    );
    return repeatedRefusals(counts, from, this.config);
  }

  private async hours(now: Date): Promise<Finding[]> {
    await this.countHours(now);
    return [...(await this.rates(now)), ...(await this.unaudited(now))];
  }

  /** A day back, by whole hours, but for what was opened just now. */
  private async unaudited(now: Date): Promise<Finding[]> {
    const from = new Date(startOfHour(now).getTime() - DAY_MS);
    const days = await this.db.query<OpenedDay[]>(
      `SELECT gallery_id AS "galleryId", (sum(m.opened) - coalesce(max(late.opened), 0))::float8 AS opened,
         sum(audited)::float8 AS audited,
         EXISTS (SELECT FROM key_set_rotation r WHERE r.gallery_id = m.gallery_id AND r.begun_at IS NOT NULL
           AND (r.ended_at IS NULL OR r.ended_at >= $1)) AS moved
       FROM match_hour m LEFT JOIN custody_openings($2, 'infinity') AS late USING (gallery_id)
       WHERE hour >= $1 GROUP BY gallery_id HAVING sum(m.opened) >= sum(audited) + $3`,
      [from, new Date(now.getTime() - SETTLED_MS), this.config.unaudited],
    );
    return unauditedOpenings(days, from, this.config);
  }

  private async rates(now: Date): Promise<Finding[]> {
    const hours = await this.db.query<MatchHour[]>(
      // A gallery is its client's, so whoever is below the floor has none above it.
      `SELECT hour, client_id AS "clientId", gallery_id AS "galleryId",
         greatest(matches, opened)::float8 AS matches FROM match_hour
       WHERE hour >= $1 AND client_id IN (
         SELECT client_id FROM match_hour WHERE hour = $2 GROUP BY client_id HAVING sum(greatest(matches, opened)) >= $3)`,
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
      `WITH hours AS (
         SELECT h FROM generate_series(
           greatest((SELECT max(hour) FROM match_hour WHERE hour <= $1), $1::timestamptz - interval '1 day'),
           $1, interval '1 hour') AS h
       ), counted AS (
         SELECT h, a.client_id, a.gallery_id, a.matches, a.audited, 0 AS opened
         FROM hours, LATERAL audited_openings(h, h + interval '1 hour') AS a
         UNION ALL
         SELECT h, o.client_id, o.gallery_id, 0, 0, o.opened
         FROM hours, LATERAL custody_openings(h, h + interval '1 hour') AS o
       )
       INSERT INTO match_hour (hour, client_id, gallery_id, matches, audited, opened)
       SELECT h, client_id, gallery_id, sum(matches), sum(audited), sum(opened) FROM counted
       GROUP BY h, client_id, gallery_id
       ON CONFLICT (hour, client_id, gallery_id)
         -- What is forgotten of an erased person happened all the same.
         DO UPDATE SET matches = greatest(EXCLUDED.matches, match_hour.matches),
           opened = greatest(EXCLUDED.opened, match_hour.opened),
           audited = greatest(EXCLUDED.audited, match_hour.audited)`,
      [hour],
    );
    await this.db.query('DELETE FROM match_hour WHERE hour < $1', [
      new Date(hour.getTime() - (this.config.matchDays + 1) * DAY_MS),
    ]);
  }

  /** Those that no incident about them has counted: what was looked at is not brought up again. */
  private async brokenBindings(now: Date): Promise<Finding[]> {
    const [last] = await this.db.query<{ known: Date; opened: Date; counted_to: string | null }[]>(
      `SELECT known_at AS known, opened_at AS opened, counted_to FROM incident
       WHERE detector = 'binding_broken' ORDER BY opened_at DESC LIMIT 1`,
    );
    const weekAgo = new Date(now.getTime() - 7 * DAY_MS);
    const later = (time: Date | undefined): Date => (time !== undefined && time > weekAgo ? time : weekAgo);
    const leaf = last?.counted_to ?? null;
    // The version before has kept no place: its incidents have counted until they were opened.
    const since = leaf === null ? later(last?.opened) : weekAgo;
    const [found] = await this.db.query<{ count: number; counted_to: string | null }[]>(
      `SELECT entries::float8 AS count, counted_to FROM count_audited_after('template.binding_broken', $1, $2)`,
      [leaf, since],
    );
    const { count = 0, counted_to: countedTo = null } = found ?? {};
    if (countedTo === null) return [];
    const from = later(last?.known);
    return [{ detector: 'binding_broken', cause: 'templates', count, from, countedTo }];
  }
}
