import * as tf from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface WeightsGroup {
  readonly paths: readonly string[];
  readonly weights: tf.io.WeightsManifestEntry[];
}

/** Reads the weight files of a tfjs manifest from `folder`. */
export async function readWeights(
  manifest: readonly WeightsGroup[],
  folder: string,
): Promise<{ weightSpecs: tf.io.WeightsManifestEntry[]; weightData: ArrayBuffer }> {
  const files = await Promise.all(
    manifest.flatMap((group) => group.paths).map((path) => readFile(join(folder, path))),
  );
  const weightData = new Uint8Array(Buffer.concat(files)).buffer;
  return { weightSpecs: manifest.flatMap((group) => group.weights), weightData };
}

let registered = false;

/** Node's fetch refuses file: URLs, so tfjs is taught to load them, and only them, itself. */
export function registerFileRouter(): void {
  if (registered) return;
  registered = true;
  tf.io.registerLoadRouter((url) =>
    typeof url === 'string' && url.startsWith('file://')
      ? { load: () => loadModel(fileURLToPath(url)) }
      : fallThrough,
  );
}

// tfjs types a router that passes as null although its own declaration forbids it.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- null is how tf.io.IORouter says "not mine"
const fallThrough = null as unknown as tf.io.IOHandler;

async function loadModel(file: string): Promise<tf.io.ModelArtifacts> {
  const { weightsManifest, ...topology }: tf.io.ModelJSON = parse(await readFile(file, 'utf8'));
  return { ...topology, ...(await readWeights(weightsManifest, dirname(file))) };
}

function parse(text: string): tf.io.ModelJSON {
  return JSON.parse(text);
}
