import type { BenchClient } from './bench-client.js';
import { nearFace, randomFace } from './faces-in-space.js';
import { type Load, measure, medianOf } from './load.js';

/** A gallery with one template for each subject, and what was measured on it. */
export class FilledGallery {
  private readonly verifications: Load[] = [];
  private readonly identifications: Load[] = [];

  private constructor(
    readonly id: string,
    private readonly url: string,
    private readonly client: BenchClient,
    private readonly subjects: readonly string[],
    private readonly faces: readonly (readonly number[])[],
    private readonly figures: { dimension: number; firstEnrolmentMs: number; enrolment: Load },
  ) {}

  static async fill(
    url: string,
    client: BenchClient,
    subjects: readonly string[],
    dimension: number,
  ): Promise<FilledGallery> {
    const id = await client.gallery(`d = ${dimension}`, dimension);
    const faces = subjects.map((_, i) => randomFace(i + 1, dimension));
    let enrolled = 0;
    const next = () => {
      const i = enrolled++;
      return client.enrol(id, subjects[i] ?? '', { embedding: faces[i] });
    };
    const first = await measure(url, 1, 0, next);
    const rest = subjects.length - 1;
    const enrolment = await measure(url, Math.floor(rest / 2), Math.ceil(rest / 2), next);
    const figures = { dimension, firstEnrolmentMs: first.p50, enrolment };
    return new FilledGallery(id, url, client, subjects, faces, figures);
  }

  async round(calls: number): Promise<void> {
    const probes = Array.from({ length: calls }, (_, i) => ({
      embedding: nearFace(this.faces[i] ?? [], this.faces.length + i),
    }));
    const at = (i: number): object => probes[i % calls] ?? {};
    const subject = (i: number): string => this.subjects[i % calls] ?? '';
    this.verifications.push(
      await measure(this.url, calls, calls, (i) => this.client.verify(this.id, subject(i), at(i))),
    );
    this.identifications.push(
      await measure(this.url, calls, calls, (i) => this.client.identify(this.id, at(i))),
    );
  }

  medians(): { dimension: number; firstEnrolmentMs: number; enrolment: Load; verify: Load; identify: Load } {
    return {
      ...this.figures,
      verify: medianOf(this.verifications),
      identify: medianOf(this.identifications),
    };
  }
}
