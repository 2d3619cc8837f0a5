import type { DecodedImage } from './decode-image.js';
import { type Mesh, meshPoint, type Point } from './face-geometry.js';

export const CHIP_SIZE = 150;
const PADDING = 0.25;

/** dlib's mean positions of its five points (shape_predictor_5_face_landmarks) in the unit square. */
const MEAN_SHAPE: readonly Point[] = [
  { x: 0.8595674595992, y: 0.2134981538014 },
  { x: 0.6460604764104, y: 0.2289674387677 },
  { x: 0.1205750620789, y: 0.2137274526848 },
  { x: 0.3340850613712, y: 0.2290642403242 },
  { x: 0.4901123135679, y: 0.6277975316475 },
];

/** The same five in Human's mesh: right eye outer and inner, left eye outer and inner corner, base of the nose. */
const MESH_POINTS = [263, 362, 33, 133, 2];

/** u = a·x - b·y + tx, v = b·x + a·y + ty: chip to image. */
interface Similarity {
  readonly a: number;
  readonly b: number;
  readonly tx: number;
  readonly ty: number;
}

/** The face turned upright and scaled to 150 × 150, RGB, as the network was trained on. */
export function alignChip(image: DecodedImage, mesh: Mesh): Float32Array {
  const chipPoints = MEAN_SHAPE.map(({ x, y }) => ({ x: onChip(x), y: onChip(y) }));
  const imagePoints = MESH_POINTS.map((index) => meshPoint(mesh, index));
  const map = leastSquares(chipPoints, imagePoints);
  // A face larger than the chip is averaged over up to 4 × 4 samples a pixel, or it would alias.
  const samples = Math.max(1, Math.min(4, Math.ceil(Math.hypot(map.a, map.b) - 0.05)));
  const chip = new Float32Array(CHIP_SIZE * CHIP_SIZE * 3);
  const colour = new Float64Array(3);
  for (let y = 0; y < CHIP_SIZE; y++) {
    for (let x = 0; x < CHIP_SIZE; x++) {
      colour.fill(0);
      for (let sy = 0; sy < samples; sy++) {
        for (let sx = 0; sx < samples; sx++) {
          const cx = x + (sx + 0.5) / samples - 0.5;
          const cy = y + (sy + 0.5) / samples - 0.5;
          addSample(image, map.a * cx - map.b * cy + map.tx, map.b * cx + map.a * cy + map.ty, colour);
        }
      }
      for (let k = 0; k < 3; k++) chip[(y * CHIP_SIZE + x) * 3 + k] = (colour[k] ?? 0) / samples ** 2;
    }
  }
  return chip;
}

function onChip(unit: number): number {
  return ((PADDING + unit) / (2 * PADDING + 1)) * CHIP_SIZE;
}

/** The rotation, scale and shift that bring `from` nearest to `to`. */
function leastSquares(from: readonly Point[], to: readonly Point[]): Similarity {
  const [centreFrom, centreTo] = [centre(from), centre(to)];
  let along = 0;
  let across = 0;
  let spread = 0;
  from.forEach((point, i) => {
    const target = to[i] ?? centreTo;
    const [x, y] = [point.x - centreFrom.x, point.y - centreFrom.y];
    const [u, v] = [target.x - centreTo.x, target.y - centreTo.y];
    along += x * u + y * v;
    across += x * v - y * u;
    spread += x * x + y * y;
  });
  const [a, b] = [along / spread, across / spread];
  return {
    a,
    b,
    tx: centreTo.x - (a * centreFrom.x - b * centreFrom.y),
    ty: centreTo.y - (b * centreFrom.x + a * centreFrom.y),
  };
}

function centre(points: readonly Point[]): Point {
  const sum = points.reduce((total, { x, y }) => ({ x: total.x + x, y: total.y + y }), { x: 0, y: 0 });
  return { x: sum.x / points.length, y: sum.y / points.length };
}

/** Adds the bilinear sample at (u, v); outside the image is black. */
function addSample({ data, width, height }: DecodedImage, u: number, v: number, colour: Float64Array): void {
  const [x0, y0] = [Math.floor(u), Math.floor(v)];
  const [fx, fy] = [u - x0, v - y0];
  for (let corner = 0; corner < 4; corner++) {
    const right = corner % 2;
    const below = corner >> 1;
    const [x, y] = [x0 + right, y0 + below];
    if (x < 0 || y < 0 || x >= width || y >= height) continue;
    const weight = (right ? fx : 1 - fx) * (below ? fy : 1 - fy);
    for (let k = 0; k < 3; k++) colour[k] = (colour[k] ?? 0) + weight * (data[(y * width + x) * 3 + k] ?? 0);
  }
}
