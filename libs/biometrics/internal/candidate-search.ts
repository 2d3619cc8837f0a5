import { type Candidate, KeyCustodian } from '#custody/key-custodian';
import type { QuantisedProbe } from '#homomorphic/quantised-vector';
import type { ConsentId, SubjectId, TemplateId } from '#platform/ids';
import { Injectable } from '@nestjs/common';
import { MOST_TEMPLATES } from '../biometric-sample.js';
import { type MatchedGallery, Matcher } from '../matcher.js';
import { type ScoreBand, scoreBand } from '../score-band.js';
import type { LastingGallery } from './gallery.entity.js';
import { RowsMoved, withRowsAsTheyAre } from './moved-rows.js';

export interface IdentifiedSubject {
  readonly subjectId: SubjectId;
  readonly templateId: TemplateId;
  readonly band?: ScoreBand;
}

export interface NamedTemplate extends IdentifiedSubject {
  readonly consentId: ConsentId;
}

/** The search of a gallery, up to the decision: whoever names somebody MUST check the consents once more. */
@Injectable()
export class CandidateSearch {
  constructor(
    private readonly matcher: Matcher,
    private readonly custodian: KeyCustodian,
  ) {}

  /** At most `topK` subjects above the gallery's threshold, best first, each with its best template; zeroes the probe. */
  async search(
    gallery: LastingGallery,
    probe: QuantisedProbe,
    topK: number,
  ): Promise<readonly NamedTemplate[]> {
    return withRowsAsTheyAre(() => this.searchOnce(gallery, probe, topK)).finally(() => probe.fill(0));
  }

  private async searchOnce(
    gallery: LastingGallery,
    probe: QuantisedProbe,
    topK: number,
  ): Promise<readonly NamedTemplate[]> {
    const { id: galleryId, clientId } = gallery;
    const asked = { about: 'gallery', places: [], clientId, galleryId, probe } as const;
    return this.matcher.matchGallery(gallery, probe, async (matched) => {
      const { scores, threshold, find } = matched;
      const limit = topK * MOST_TEMPLATES;
      const opened = await this.custodian.openScores({ ...asked, threshold, limit }, scores);
      if (opened.some(({ segmentId, slot }) => find(segmentId, slot) === undefined)) throw new RowsMoved();
      return bestOfEach(gallery, matched, opened).slice(0, topK);
    });
  }
}

/** What a client is told of a candidate. */
export function shown({ subjectId, templateId, band }: NamedTemplate): IdentifiedSubject {
  return { subjectId, templateId, ...(band === undefined ? {} : { band }) };
}

function bestOfEach(
  gallery: LastingGallery,
  { find, threshold }: MatchedGallery,
  opened: readonly Candidate[],
): readonly NamedTemplate[] {
  const best = new Map<SubjectId, NamedTemplate>();
  for (const { segmentId, slot, score } of opened) {
    const template = find(segmentId, slot);
    if (template === undefined || best.has(template.subjectId)) continue;
    const band = scoreBand(gallery, score, threshold);
    best.set(template.subjectId, { ...template, ...(band === undefined ? {} : { band }) });
  }
  return [...best.values()];
}
