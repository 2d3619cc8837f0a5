import * as tf from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CHIP_SIZE } from './align-chip.js';
import { averageEmbeddings } from './average-embeddings.js';
import { readWeights } from './file-weights.js';

const require = createRequire(import.meta.url);
const DIMENSION = 128;
/** The mean colour that dlib subtracts (its input layer's avg_red, avg_green and avg_blue). */
const MEAN_COLOUR = [122.782, 117.001, 104.298];

/** dlib's 14 residual blocks in their order; `down` halves the image. */
const BLOCKS = [
  'conv32_1',
  'conv32_2',
  'conv32_3',
  'conv64_down',
  'conv64_1',
  'conv64_2',
  'conv64_3',
  'conv128_down',
  'conv128_1',
  'conv128_2',
  'conv256_down',
  'conv256_1',
  'conv256_2',
  'conv256_down_out',
];

type Convolution = { filter: tf.Tensor4D; bias: tf.Tensor1D };

interface Block {
  readonly down: boolean;
  readonly first: Convolution;
  readonly second: Convolution;
}

/** dlib's face recognition ResNet with the weights that @vladmandic/face-api ships. */
export class Embedder {
  private constructor(
    private readonly entry: Convolution,
    private readonly blocks: readonly Block[],
    private readonly head: tf.Tensor2D,
    private readonly mean: tf.Tensor1D,
  ) {}

  static async load(): Promise<Embedder> {
    const folder = join(dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');
    const manifest = JSON.parse(
      await readFile(join(folder, 'face_recognition_model-weights_manifest.json'), 'utf8'),
    );
    const { weightSpecs, weightData } = await readWeights(manifest, folder);
    const weights = tf.io.decodeWeights(weightData, weightSpecs);
    const blocks = BLOCKS.map((name) => ({
      down: name.includes('down'),
      first: folded(weights, `${name}/conv1`),
      second: folded(weights, `${name}/conv2`),
    }));
    const head = tf.tensor2d(weight(weights, 'fc').dataSync(), [256, DIMENSION]);
    const embedder = new Embedder(folded(weights, 'conv32_down'), blocks, head, tf.tensor1d(MEAN_COLOUR));
    for (const tensor of Object.values(weights)) tensor.dispose();
    return embedder;
  }

  /** A unit vector of 128 values: the mean of the chip's and of its mirror image's. */
  async embed(chip: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const both = new Float32Array(chip.length * 2);
    both.set(chip);
    mirror(chip, both.subarray(chip.length));
    const input = tf.tensor4d(both, [2, CHIP_SIZE, CHIP_SIZE, 3]);
    both.fill(0);
    const output = tf.tidy(() => this.run(input));
    try {
      const values = await output.data();
      const halves = [values.subarray(0, DIMENSION), values.subarray(DIMENSION)].map((half) =>
        Float32Array.from(half),
      );
      values.fill(0);
      const embedding = averageEmbeddings(halves);
      for (const half of halves) half.fill(0);
      return embedding;
    } finally {
      input.dispose();
      output.dispose();
    }
  }

  private run(input: tf.Tensor4D): tf.Tensor {
    const scaled = tf.div<tf.Tensor4D>(tf.sub(input, this.mean), 255);
    let x = tf.maxPool(convolve(scaled, this.entry, 2, 'valid', 'relu'), 3, 2, 'valid');
    for (const { down, first, second } of this.blocks) {
      const inner = convolve(x, first, down ? 2 : 1, down ? 'valid' : 'same', 'relu');
      const y = convolve(inner, second, 1, 'same', 'linear');
      x = tf.relu(down ? addPadded(y, tf.avgPool(x, 2, 2, 'valid')) : tf.add(y, x));
    }
    return tf.matMul(tf.mean(x, [1, 2]), this.head);
  }
}

/** dlib pads with zeros what is smaller: the image of `y` and the channels of the shortcut. */
function addPadded(y: tf.Tensor4D, shortcut: tf.Tensor4D): tf.Tensor4D {
  const [, height, width, channels] = shortcut.shape;
  const wide = tf.pad(y, [
    [0, 0],
    [0, height - y.shape[1]],
    [0, width - y.shape[2]],
    [0, 0],
  ]);
  const deep = tf.pad(shortcut, [
    [0, 0],
    [0, 0],
    [0, 0],
    [0, y.shape[3] - channels],
  ]);
  return tf.add(wide, deep);
}

/** A convolution with dlib's affine layer behind it folded into filter and bias. */
function folded(weights: tf.NamedTensorMap, name: string): Convolution {
  return tf.tidy(() => {
    const scale = weight(weights, `${name}/scale/weights`);
    const filter = tf.mul<tf.Tensor4D>(weight(weights, `${name}/conv/filters`), scale);
    const bias = tf.mul<tf.Tensor1D>(weight(weights, `${name}/conv/bias`), scale);
    return { filter, bias: tf.add<tf.Tensor1D>(bias, weight(weights, `${name}/scale/biases`)) };
  });
}

function weight(weights: tf.NamedTensorMap, name: string): tf.Tensor {
  const tensor = weights[name];
  if (tensor === undefined) throw new Error(`the model lacks the weights ${name}`);
  return tensor;
}

function convolve(
  x: tf.Tensor4D,
  { filter, bias }: Convolution,
  strides: number,
  pad: 'valid' | 'same',
  activation: 'relu' | 'linear',
): tf.Tensor4D {
  return tf.fused.conv2d({ x, filter, strides, pad, bias, activation });
}

function mirror(chip: Float32Array, into: Float32Array): void {
  for (let y = 0; y < CHIP_SIZE; y++) {
    for (let x = 0; x < CHIP_SIZE; x++) {
      const from = (y * CHIP_SIZE + CHIP_SIZE - 1 - x) * 3;
      into.set(chip.subarray(from, from + 3), (y * CHIP_SIZE + x) * 3);
    }
  }
}
