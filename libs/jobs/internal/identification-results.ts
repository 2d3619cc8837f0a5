import { ListMatchable } from '#biometrics/list-matchable';
import type { TemplateId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { JobRow } from './job-store.js';

interface Identified {
  readonly candidates: readonly { readonly templateId: TemplateId }[];
}

@Injectable()
export class IdentificationResults {
  constructor(private readonly queries: QueryBus) {}

  /** What was found, without whom may not be matched any more. */
  async matchable<Item extends { readonly result: object | null }>(
    { gallery_id }: JobRow,
    items: readonly Item[],
  ): Promise<Item[]> {
    const named = items.flatMap(({ result }) => (isIdentified(result) ? result.candidates : []));
    const templates = new Set(named.map(({ templateId }) => templateId));
    const kept = await this.queries.execute(new ListMatchable(gallery_id, [...templates]));
    return items.map((item) => {
      const { result } = item;
      if (!isIdentified(result)) return item;
      const candidates = result.candidates.filter(({ templateId }) => kept.has(templateId));
      return { ...item, result: { ...result, candidates } };
    });
  }
}

function isIdentified(result: object | null): result is Identified {
  return result !== null && 'candidates' in result;
}
