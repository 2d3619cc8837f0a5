/** Why an image was refused; DESIGN.md section 7 lists the quality reasons. */
export const FACE_REFUSALS = [
  'unsupported_image',
  'image_too_large',
  'image_unreadable',
  'no_face',
  'several_faces',
  'face_too_small',
  'turned_away',
  'too_dark',
  'blurred',
] as const;

export type FaceRefusal = (typeof FACE_REFUSALS)[number];

/** Human's two signals, 0 to 1, 1 meaning a live face. Their accuracy on attacks is unmeasured: see the model card. */
export interface PresentationSignals {
  readonly real: number;
  readonly live: number;
}

export type FaceAnalysis =
  | {
      readonly ok: true;
      /** 128 values, unit length. */
      readonly embedding: Float32Array<ArrayBuffer>;
      readonly presentation?: PresentationSignals;
    }
  | { readonly ok: false; readonly reason: FaceRefusal };

/** A box in pixels of the upright image. */
export interface FaceBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export class ImageRefused extends Error {
  override readonly name = 'ImageRefused';

  constructor(readonly reason: FaceRefusal) {
    super(reason);
  }
}
