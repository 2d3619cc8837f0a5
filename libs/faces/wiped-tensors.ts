import { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Makes the WASM backend overwrite tensors when they are disposed of, those of its own kernels too: its heap is never given
 * back, and photographs would stay in it until others take their place. To be called once, when the backend has been started.
 */
export function wipeDisposedTensors(): void {
  const backend = tf.backend();
  if (!(backend instanceof BackendWasm)) throw new Error('the WASM backend was not started');
  const dispose = backend.disposeData.bind(backend);
  backend.disposeData = (dataId, force) => {
    if (backend.dataIdMap.has(dataId) && (force === true || backend.refCount(dataId) <= 1)) {
      const { shape, dtype, memoryOffset } = backend.dataIdMap.get(dataId);
      if (memoryOffset !== null) backend.typedArrayFromHeap({ dataId, shape, dtype }).fill(0);
    }
    return dispose(dataId, force);
  };
}
