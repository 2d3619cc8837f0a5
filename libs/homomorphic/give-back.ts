/**
 * Zeroes memory of which nothing is needed any more, and frees it at once if there is nothing else in its buffer. V8 would
 * let tens of megabytes of it gather, and then stop for a whole collection.
 */
export function giveBack({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
  new Uint8Array(buffer, byteOffset, byteLength).fill(0);
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}
