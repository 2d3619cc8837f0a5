import { PROBE_SCALE, TEMPLATE_SCALE } from '#homomorphic/parameters';
import { quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import type { Needles } from './needles.js';

type Form = 'float64' | 'float32' | 'int16' | 'int8' | 'JSON';

/** What a known embedding can look like in memory: as sent, normalised, scaled and quantised, and as JSON. */
export function addFaces(
  needles: Needles,
  faces: readonly (readonly number[])[],
  kindOf: (form: Form) => string = (form) => form,
): void {
  faces.forEach((face, owner) => {
    const length = Math.hypot(...face);
    const unit = face.map((value) => value / length);
    const scaled = [TEMPLATE_SCALE, PROBE_SCALE].map((scale) => unit.map((value) => value * scale));
    for (const values of [face, unit, ...scaled]) {
      needles.add(kindOf('float64'), owner, bytesOf(Float64Array.from(values)), 4 * 8);
      needles.add(kindOf('float32'), owner, bytesOf(Float32Array.from(values)), 4 * 4);
    }
    for (const digits of [quantiseTemplate(face), Int16Array.from(quantiseProbe(face))]) {
      needles.add(kindOf('int16'), owner, bytesOf(digits), 8 * 2);
    }
    needles.add(kindOf('int8'), owner, bytesOf(quantiseProbe(face)), 8);
    for (let at = 0; at + 2 <= face.length; at += 2) {
      const text = Buffer.from(face.slice(at, at + 2).join(','));
      needles.add(kindOf('JSON'), owner, text, text.length);
    }
  });
}

function bytesOf({ buffer, byteOffset, byteLength }: NodeJS.TypedArray): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
