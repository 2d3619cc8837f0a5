import * as tf from '@tensorflow/tfjs-core';
import type { FaceResult, Human } from '@vladmandic/human';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DecodedImage } from './decode-image.js';
import { distance, eyeCentres, midpoint } from './face-geometry.js';
import { registerFileRouter } from './file-weights.js';

const require = createRequire(import.meta.url);

/** A detection weaker than this is no face (FACES.md, quality gates). */
const LEAST_FACE_SCORE = 0.9;
const LEAST_BOX_SCORE = 0.5;

export type DetectedFace = FaceResult;

/** Human's detector and 468-point mesh; with `presentation`, its anti-spoof and liveness networks too. */
export async function createDetector(presentation: boolean): Promise<Human> {
  registerFileRouter();
  const folder = dirname(require.resolve('@vladmandic/human'));
  // The package's exports hide the WASM build, and its main entry wants tfjs-node: load the file by its path.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same classes as the package's main entry
  const library = require(join(folder, 'human.node-wasm.js')) as { Human: typeof Human };
  const off = { enabled: false };
  const human = new library.Human({
    backend: 'wasm',
    wasmPath: dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + sep,
    modelBasePath: pathToFileURL(join(folder, '..', 'models')).href + '/',
    cacheModels: false,
    cacheSensitivity: 0,
    skipAllowed: false,
    warmup: 'none',
    debug: false,
    filter: off,
    gesture: off,
    body: off,
    hand: off,
    object: off,
    segmentation: off,
    face: {
      enabled: true,
      detector: { rotation: true, maxDetected: 10, minConfidence: 0.3, iouThreshold: 0.3, return: false },
      mesh: { enabled: true },
      attention: off,
      iris: off,
      emotion: off,
      description: off,
      antispoof: { enabled: presentation },
      liveness: { enabled: presentation },
    },
  });
  await human.load();
  // Human logs a model that fails to load and goes on without it.
  const needed = ['blazeface', 'facemesh', ...(presentation ? ['antispoof', 'liveness'] : [])];
  const loaded = human.models.loaded();
  for (const model of needed)
    if (!loaded.includes(model)) throw new Error(`the model ${model} was not loaded`);
  return human;
}

/** The faces of an image, each once, largest first. */
export async function detectFaces(human: Human, image: DecodedImage): Promise<DetectedFace[]> {
  const values = Float32Array.from(image.data);
  const pixels = tf.tensor4d(values, [1, image.height, image.width, 3]);
  values.fill(0);
  try {
    const result = await human.detect(pixels);
    if (result.error !== null) throw new Error('the face detector failed');
    return distinct(result.face);
  } finally {
    pixels.dispose();
  }
}

function distinct(faces: readonly DetectedFace[]): DetectedFace[] {
  const strongest = faces
    .filter((face) => face.faceScore >= LEAST_FACE_SCORE && face.boxScore >= LEAST_BOX_SCORE)
    .sort((a, b) => b.faceScore * b.boxScore - a.faceScore * a.boxScore);
  const kept: DetectedFace[] = [];
  for (const face of strongest) if (!kept.some((other) => isSameFace(face, other))) kept.push(face);
  return kept.sort((a, b) => b.box[2] * b.box[3] - a.box[2] * a.box[3]);
}

function isSameFace(a: DetectedFace, b: DetectedFace): boolean {
  const [eyesA, eyesB] = [eyeCentres(a.mesh), eyeCentres(b.mesh)];
  const apart = Math.max(distance(eyesA.left, eyesA.right), distance(eyesB.left, eyesB.right));
  return distance(midpoint(eyesA.left, eyesA.right), midpoint(eyesB.left, eyesB.right)) < 0.8 * apart;
}
