import { PROBE_SCALE, TEMPLATE_SCALE } from '#homomorphic/parameters';
import { quantiseProbe, quantiseTemplate } from '#homomorphic/quantised-vector';
import { Needles } from './needles.js';

/** The values of each group; a run of twice as many, less one, is found wherever it begins. */
const GROUP = 4;
const SMALL_GROUP = 8;

/** What a known embedding can look like in memory: as sent, normalised, scaled and quantised, and as JSON. */
export function needlesOf(faces: readonly (readonly number[])[]): Needles[] {
  const float64 = new Needles('float64', 8);
  const float32 = new Needles('float32', 4);
  const int16 = new Needles('int16', 2);
  const int8 = new Needles('int8', 1);
  const json = new Needles('JSON', 1);
  faces.forEach((face, owner) => {
    const unit = normalised(face);
    const scaled = [TEMPLATE_SCALE, PROBE_SCALE].map((scale) => unit.map((value) => value * scale));
    for (const values of [face, unit, ...scaled]) {
      addGroups(float64, Float64Array.from(values), GROUP, owner);
      addGroups(float32, Float32Array.from(values), GROUP, owner);
    }
    addGroups(int16, quantiseTemplate(face), GROUP, owner);
    addGroups(int16, Int16Array.from(quantiseProbe(face)), GROUP, owner);
    addGroups(int8, quantiseProbe(face), SMALL_GROUP, owner);
    for (let at = 0; at + 2 <= face.length; at += 2)
      json.add(Buffer.from(face.slice(at, at + 2).join(',')), owner);
  });
  return [float64, float32, int16, int8, json];
}

function normalised(face: readonly number[]): number[] {
  const length = Math.hypot(...face);
  return face.map((value) => value / length);
}

function addGroups(
  needles: Needles,
  values: Float64Array | Float32Array | Int16Array | Int8Array,
  group: number,
  owner: number,
): void {
  const size = group * values.BYTES_PER_ELEMENT;
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  for (let at = 0; at + size <= bytes.length; at += size) needles.add(bytes.subarray(at, at + size), owner);
}
