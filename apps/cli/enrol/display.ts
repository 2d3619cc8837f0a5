import { inWords, type ProgressLine, withBar } from './progress-line.js';

const REDRAWN_MS = 100;
const TOLD_MS = 10_000;
const CLEAR = '\r\u001b[2K';

/** Progress on standard error: a bar that is drawn anew in a terminal, else a line now and then. */
export class Display {
  private last = { doing: '', at: 0 };
  private drawn = false;
  private readonly terminal: boolean;

  constructor(private readonly quiet: boolean) {
    this.terminal = process.stderr.isTTY;
  }

  show(line: ProgressLine): void {
    if (this.quiet) return;
    const now = performance.now();
    const fresh = line.doing !== this.last.doing;
    if (!fresh && line.share !== 1 && now - this.last.at < (this.terminal ? REDRAWN_MS : TOLD_MS)) return;
    if (!fresh && !this.terminal && now - this.last.at < REDRAWN_MS) return;
    // A bar that is finished stays.
    if (fresh) this.keep();
    this.last = { doing: line.doing, at: now };
    if (this.terminal) {
      process.stderr.write(`${CLEAR}${withBar(line, process.stderr.columns - 1)}`);
      this.drawn = true;
    } else process.stderr.write(`${inWords(line)}\n`);
  }

  /** Something besides the progress. */
  say(sentence: string): void {
    if (this.quiet) return;
    this.keep();
    process.stderr.write(`${sentence}\n`);
  }

  /** Leaves the bar where it is and goes on below it. */
  keep(): void {
    if (this.drawn) process.stderr.write('\n');
    this.drawn = false;
  }
}
