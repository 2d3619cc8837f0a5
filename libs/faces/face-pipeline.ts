import type { Human } from '@vladmandic/human';
import { alignChip } from './align-chip.js';
import { type DecodedImage, decodeImage } from './decode-image.js';
import { createDetector, detectFaces } from './detect-faces.js';
import { Embedder } from './embed-chip.js';
import { type FaceAnalysis, type FaceBox, ImageRefused } from './face-analysis.js';
import { chipQuality, refusalOf } from './quality.js';
import { wipeDisposedTensors } from './wiped-tensors.js';

const BOX_MARGIN = 0.3;

/** Seconds that the steps of an analysis took, as far as it came. */
export type StepSeconds = Partial<Record<'decode' | 'detect' | 'embed', number>>;

/** Image to embedding in one thread, one image at a time. */
export class FacePipeline {
  private constructor(
    private readonly detector: Human,
    private readonly embedder: Embedder,
    private attackDetector?: Promise<Human>,
  ) {}

  static async load(): Promise<FacePipeline> {
    // The detector first: it starts the WASM backend that the embedder's tensors live in.
    const detector = await createDetector(false);
    wipeDisposedTensors();
    return new FacePipeline(detector, await Embedder.load());
  }

  /** Analyses the one face of an image. With `presentation`, the attack signals come with it. Fills `seconds` in. */
  async analyse(bytes: Uint8Array, presentation: boolean, seconds: StepSeconds = {}): Promise<FaceAnalysis> {
    const step = async <R>(name: keyof StepSeconds, work: () => Promise<R>): Promise<R> => {
      const started = performance.now();
      const done = await work();
      seconds[name] = (performance.now() - started) / 1_000;
      return done;
    };
    let image: DecodedImage | undefined;
    let chip: Float32Array | undefined;
    try {
      const decoded = await step('decode', () => decodeImage(bytes));
      image = decoded;
      const detector = presentation ? await (this.attackDetector ??= createDetector(true)) : this.detector;
      const [face, ...others] = await step('detect', () => detectFaces(detector, decoded));
      if (face === undefined) return { ok: false, reason: 'no_face' };
      if (others.length > 0) return { ok: false, reason: 'several_faces' };
      const aligned = alignChip(image, face.mesh);
      chip = aligned;
      const reason = refusalOf(face, chipQuality(aligned));
      if (reason !== undefined) return { ok: false, reason };
      const embedding = await step('embed', () => this.embedder.embed(aligned));
      if (!presentation) return { ok: true, embedding };
      return { ok: true, embedding, presentation: { real: face.real ?? 0, live: face.live ?? 0 } };
    } catch (error) {
      if (error instanceof ImageRefused) return { ok: false, reason: error.reason };
      throw error;
    } finally {
      image?.data.fill(0);
      chip?.fill(0);
    }
  }

  /** Where the faces of an image are, with room around each, largest first. */
  async findFaces(bytes: Uint8Array): Promise<FaceBox[]> {
    const image = await decodeImage(bytes);
    const faces = await detectFaces(this.detector, image).finally(() => image.data.fill(0));
    const inner = { width: image.width - 2 * image.border, height: image.height - 2 * image.border };
    return faces.map(({ box: [x, y, width, height] }) => {
      const [marginX, marginY] = [width * BOX_MARGIN, height * BOX_MARGIN];
      const left = Math.max(0, x - image.border - marginX);
      const top = Math.max(0, y - image.border - marginY);
      const right = Math.min(inner.width, x - image.border + width + marginX);
      const bottom = Math.min(inner.height, y - image.border + height + marginY);
      return {
        left: Math.floor(left * image.scale),
        top: Math.floor(top * image.scale),
        width: Math.floor((right - left) * image.scale),
        height: Math.floor((bottom - top) * image.scale),
      };
    });
  }
}
