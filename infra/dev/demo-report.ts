const WIDTH = 26;

/** Prints each step with its time, in lines that a person can follow. */
export class DemoReport {
  private number = 0;

  async step<R>(title: string, work: () => Promise<{ result: R; lines: readonly string[] }>): Promise<R> {
    const started = performance.now();
    const { result, lines } = await work();
    const time = `${(performance.now() - started).toFixed(0)} ms`;
    const head = `${String(++this.number).padStart(2)}  ${title.padEnd(WIDTH)}${time.padStart(8)}   `;
    const [first = '', ...rest] = lines;
    console.log(head + first);
    for (const line of rest) console.log(' '.repeat(head.length) + line);
    return result;
  }
}
