/** PostgreSQL 18 manual, COPY, "Binary Format": signature, flags and the length of an extension that is empty. */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER = SIGNATURE.length + 8;
const TRAILER = -1;
const NULL = -1;

export type Field = Buffer | undefined;

/** Takes COPY's binary output in chunks as they come and hands over each row. */
export class CopyReader {
  private pending: Buffer = Buffer.alloc(0);
  private headerRead = false;
  private ended = false;

  /** `take` gets a row's fields, undefined where a field is null; they are valid during the call only. */
  constructor(private readonly take: (fields: readonly Field[]) => void) {}

  push(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    let at = this.headerRead ? 0 : this.readHeader();
    for (let next = this.readRow(at); next !== undefined; next = this.readRow(at)) at = next;
    this.pending = this.pending.subarray(at);
  }

  /** Throws unless the output was whole. */
  end(): void {
    if (!this.ended || this.pending.length > 0) throw new RangeError('COPY ended in the middle');
  }

  private readHeader(): number {
    if (this.pending.length < HEADER) return 0;
    if (!this.pending.subarray(0, SIGNATURE.length).equals(SIGNATURE)) throw new RangeError('not from COPY');
    this.headerRead = true;
    return HEADER;
  }

  /** Where the row ends that begins at `start`, or undefined if it is not whole yet. */
  private readRow(start: number): number | undefined {
    const { pending } = this;
    if (!this.headerRead || start + 2 > pending.length) return undefined;
    const count = pending.readInt16BE(start);
    if (count === TRAILER) {
      this.ended = true;
      return start + 2;
    }
    const fields: Field[] = [];
    let at = start + 2;
    for (let i = 0; i < count; i++) {
      if (at + 4 > pending.length) return undefined;
      const length = pending.readInt32BE(at);
      at += 4;
      if (length === NULL) {
        fields.push(undefined);
        continue;
      }
      if (at + length > pending.length) return undefined;
      fields.push(pending.subarray(at, at + length));
      at += length;
    }
    this.take(fields);
    return at;
  }
}
