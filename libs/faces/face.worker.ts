import { parentPort } from 'node:worker_threads';
import { FacePipeline, type StepSeconds } from './face-pipeline.js';
import type { FaceReply, FaceRequest } from './face-pool.js';

// The libraries print warnings about images and models: nothing of theirs may reach the log.
for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) console[method] = () => undefined;

const port = parentPort;
if (port === null) throw new Error('face.worker runs in a worker thread');
const pipeline = await FacePipeline.load();
const reply = (message: FaceReply, handedOver: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, handedOver);

async function answer({ image, task, presentation }: FaceRequest): Promise<void> {
  try {
    if (task === 'analyse') {
      const seconds: StepSeconds = {};
      const analysis = await pipeline.analyse(image, presentation, seconds);
      // Not a copy: the one here would stay.
      reply({ analysis, seconds }, analysis.ok ? [analysis.embedding.buffer] : []);
    } else reply({ boxes: await pipeline.findFaces(image) });
  } catch (error) {
    reply({ fault: error instanceof Error ? error.name : 'an unknown error' });
  } finally {
    image.fill(0);
  }
}

port.on('message', (request: FaceRequest) => void answer(request));
reply({ ready: true });
