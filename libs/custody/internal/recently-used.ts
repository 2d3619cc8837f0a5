/** Keeps what was used last, up to a sum of sizes, and tells what it lets go. */
export class RecentlyUsed<T> {
  /** In the order of their last use. */
  private readonly held = new Map<string, T>();
  private total = 0;

  constructor(
    private readonly most: number,
    private readonly sizeOf: (value: T) => number,
    private readonly release: (value: T) => void,
  ) {}

  get size(): number {
    return this.total;
  }

  get(id: string, make: () => T): T {
    const known = this.held.get(id);
    const value = known ?? make();
    this.held.delete(id);
    this.held.set(id, value);
    if (known === undefined) {
      this.total += this.sizeOf(value);
      this.trim(id);
    }
    return value;
  }

  drop(which: (value: T) => boolean): void {
    for (const [id, value] of this.held) if (which(value)) this.remove(id, value);
  }

  private trim(inUse: string): void {
    for (const [id, value] of this.held) {
      if (this.total <= this.most) return;
      if (id !== inUse) this.remove(id, value);
    }
  }

  private remove(id: string, value: T): void {
    this.held.delete(id);
    this.total -= this.sizeOf(value);
    this.release(value);
  }
}
