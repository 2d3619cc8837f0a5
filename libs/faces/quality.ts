import { CHIP_SIZE } from './align-chip.js';
import type { DetectedFace } from './detect-faces.js';
import type { FaceRefusal } from './face-analysis.js';
import { distance, eyeCentres } from './face-geometry.js';

// The gates and what they cost on LFW: FACES.md.
const LEAST_EYE_DISTANCE = 20;
const LEAST_SHARPNESS = 6;
const LEAST_LUMA = 40;
const LARGEST_YAW = Math.PI / 6;

export interface ChipQuality {
  /** Variance of the Laplacian. */
  readonly sharpness: number;
  /** Mean, 0 to 255. */
  readonly luma: number;
}

/** The first gate that a face fails, in the order that helps the person most. */
export function refusalOf(face: DetectedFace, chip: ChipQuality): FaceRefusal | undefined {
  const eyes = eyeCentres(face.mesh);
  if (distance(eyes.left, eyes.right) < LEAST_EYE_DISTANCE) return 'face_too_small';
  if (Math.abs(face.rotation?.angle.yaw ?? 0) > LARGEST_YAW) return 'turned_away';
  if (chip.luma < LEAST_LUMA) return 'too_dark';
  if (chip.sharpness < LEAST_SHARPNESS) return 'blurred';
  return undefined;
}

/** `chip`: CHIP_SIZE² RGB pixels. */
export function chipQuality(chip: Float32Array): ChipQuality {
  const luma = new Float32Array(CHIP_SIZE * CHIP_SIZE);
  for (let i = 0; i < luma.length; i++) {
    luma[i] = 0.299 * (chip[3 * i] ?? 0) + 0.587 * (chip[3 * i + 1] ?? 0) + 0.114 * (chip[3 * i + 2] ?? 0);
  }
  let sum = 0;
  let squares = 0;
  let brightness = 0;
  for (let y = 1; y < CHIP_SIZE - 1; y++) {
    for (let x = 1; x < CHIP_SIZE - 1; x++) {
      const at = y * CHIP_SIZE + x;
      const around =
        (luma[at - 1] ?? 0) + (luma[at + 1] ?? 0) + (luma[at - CHIP_SIZE] ?? 0) + (luma[at + CHIP_SIZE] ?? 0);
      const laplacian = 4 * (luma[at] ?? 0) - around;
      sum += laplacian;
      squares += laplacian * laplacian;
      brightness += luma[at] ?? 0;
    }
  }
  luma.fill(0);
  const count = (CHIP_SIZE - 2) ** 2;
  return { sharpness: squares / count - (sum / count) ** 2, luma: brightness / count };
}
