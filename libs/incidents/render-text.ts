import type { IncidentId } from '#platform/ids';
import { Policies } from '#policy/policies';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Duty } from './incident.js';
import { DutyNotFound, IncidentNotFound } from './incidents.errors.js';
import { Incident } from './internal/incident.entity.js';
import { languagesOf, type RenderedText, renderText } from './internal/notification-texts.js';
import { factsOf } from './internal/text-facts.js';

export interface NotificationText extends RenderedText {
  readonly jurisdiction: string;
  readonly duty: Duty;
  readonly languages: readonly string[];
}

/** What a duty of an incident has to say, as far as it is known by now, for each jurisdiction that has the duty. */
export class RenderText extends Query<readonly NotificationText[]> {
  constructor(
    readonly incidentId: IncidentId,
    readonly duty: Duty,
    readonly language: string,
    readonly jurisdiction?: string,
  ) {
    super();
  }
}

@QueryHandler(RenderText)
export class RenderTextHandler implements IQueryHandler<RenderText> {
  constructor(
    private readonly db: DataSource,
    private readonly policies: Policies,
  ) {}

  async execute({
    incidentId: id,
    duty,
    language,
    jurisdiction: wanted,
  }: RenderText): Promise<readonly NotificationText[]> {
    const tx = this.db.manager;
    const incident = await tx.findOneBy(Incident, { id });
    if (incident === null) throw new IncidentNotFound();
    const concerned = await tx.query<{ jurisdiction: string }[]>(
      `SELECT jurisdiction FROM incident_duty
       WHERE incident_id = $1 AND duty = $2 AND ($3::text IS NULL OR jurisdiction = $3) ORDER BY 1`,
      [id, duty, wanted ?? null],
    );
    if (wanted !== undefined && concerned.length === 0) throw new DutyNotFound();
    const texts: NotificationText[] = [];
    for (const { jurisdiction } of concerned) {
      const facts = await factsOf(tx, incident, await this.policies.current(tx, jurisdiction));
      const languages = languagesOf(jurisdiction, duty);
      texts.push({ jurisdiction, duty, languages, ...renderText(jurisdiction, duty, language, facts) });
    }
    return texts;
  }
}
