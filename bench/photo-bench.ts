import { FacePool } from '#faces/face-pool';
import { photosFromSamples } from '../infra/dev/demo-photos.js';
import type { BenchClient } from './bench-client.js';
import { type Call, measure, median } from './load.js';

const CALLS = 20;
/** A subject has ten templates in a gallery at the most. */
const ENROLMENTS = 2;

/** Verification and enrolment by photograph over HTTP, beside the pipeline alone on the same photographs. */
export class PhotoBench {
  private readonly bare: number[] = [];
  private readonly verify: number[] = [];
  private readonly enrol: number[] = [];
  private readonly pool = new FacePool({ workers: 1 });

  private constructor(
    private readonly url: string,
    private readonly client: BenchClient,
    private readonly galleryId: string,
    private readonly subjectId: string,
    private readonly photos: readonly Buffer[],
  ) {}

  static async prepare(url: string, client: BenchClient): Promise<PhotoBench> {
    const { people } = await photosFromSamples();
    const photos = people.flatMap(({ enrol }) => enrol);
    const galleryId = await client.photoGallery('photographs');
    const bench = new PhotoBench(url, client, galleryId, await client.subject(), photos);
    // The first of each loads models or opens a segment.
    await bench.timeBare(0);
    await bench.timeCall(bench.enrolment(0));
    await bench.timeCall(bench.verification(0));
    return bench;
  }

  async round(): Promise<void> {
    const [bare, verify, enrol]: [number[], number[], number[]] = [[], [], []];
    for (let i = 0; i < CALLS; i++) {
      bare.push(await this.timeBare(i));
      verify.push(await this.timeCall(this.verification(i)));
    }
    const subjectId = await this.client.subject();
    for (let i = 0; i < ENROLMENTS; i++) enrol.push(await this.timeCall(this.enrolment(i, subjectId)));
    this.bare.push(median(bare));
    this.verify.push(median(verify));
    this.enrol.push(median(enrol));
  }

  medians(): { bareMs: number; photoVerifyMs: number; photoEnrolMs: number } {
    return {
      bareMs: median(this.bare),
      photoVerifyMs: median(this.verify),
      photoEnrolMs: median(this.enrol),
    };
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private async timeBare(i: number): Promise<number> {
    const image = new Uint8Array(this.photo(i));
    const started = performance.now();
    await this.pool.analyse(image, false);
    return performance.now() - started;
  }

  private async timeCall(call: Call): Promise<number> {
    return (await measure(this.url, 1, 0, () => call)).p50;
  }

  private verification(i: number): Call {
    const body = { photo: this.photo(i).toString('base64') };
    return this.client.verify(this.galleryId, this.subjectId, body);
  }

  private enrolment(i: number, subjectId = this.subjectId): Call {
    return this.client.enrol(this.galleryId, subjectId, { photos: [this.photo(i).toString('base64')] });
  }

  private photo(i: number): Buffer {
    return this.photos[i % this.photos.length] ?? Buffer.alloc(0);
  }
}
