import type { Policy } from '#policy/policies';
import type { EntityManager } from 'typeorm';
import { ENTRY_KINDS, type NoticeState } from '../incident.js';
import { IncidentEntry } from './incident-entry.entity.js';
import type { Incident } from './incident.entity.js';
import type { TextFacts } from './notification-texts.js';

/** What is known of an incident, as far as a jurisdiction is concerned, by the language that it is to be told in. */
export async function factsOf(
  tx: EntityManager,
  incident: Incident,
  { jurisdiction, document }: Policy,
): Promise<(language: string) => TextFacts> {
  const { id: incidentId, title, description, occurredFrom, occurredTo, knownAt } = incident;
  const entries = await tx.find(IncidentEntry, { where: { incidentId }, order: { id: 'ASC' } });
  const counts = await tx.query<{ state: NoticeState; subjects: number }[]>(
    `SELECT state, count(*)::int AS subjects FROM incident_subject
     WHERE incident_id = $1 AND jurisdiction = $2 GROUP BY state`,
    [incidentId, jurisdiction],
  );
  const subjects = counts.reduce((sum, count) => sum + count.subjects, 0);
  const told = counts.find(({ state }) => state === 'delivered')?.subjects ?? 0;
  const occurred = [occurredFrom, occurredTo].filter((time) => time !== null).map(shown);
  return (language) => ({
    title,
    description,
    law: document.law,
    authority: document.breach.authority.value.name,
    known: shown(knownAt),
    ...(occurred.length > 0 && { occurred: occurred.join(' – ') }),
    subjects: String(subjects),
    intimations: `${told} / ${subjects}`,
    ...Object.fromEntries(
      ENTRY_KINDS.filter((kind) => kind !== 'action').flatMap((kind) => {
        const own = entries.filter((entry) => entry.kind === kind);
        const texts = [language, 'en'].map((each) => own.filter((entry) => entry.language === each));
        const best = texts.find(({ length }) => length > 0);
        return best === undefined ? [] : [[kind, best.map(({ text }) => text).join('\n')]];
      }),
    ),
  });
}

function shown(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
