import { inWords, type ProgressLine, withBar } from './progress-line.js';

const REDRAWN_MS = 100;
const TOLD_MS = 10_000;
const CLEAR = '\r\u001b[2K';

/** Progress on standard error: a bar that is drawn anew in a terminal, else a line now and then. */
export class Display {
  private readonly terminal: boolean;
  private last = { doing: '', at: 0 };
  private waiting: ProgressLine | undefined;
  private drawn = false;

  constructor(private readonly quiet: boolean) {
    this.terminal = process.stderr.isTTY;
  }

  show(line: ProgressLine): void {
    if (this.quiet) return;
    if (line.doing !== this.last.doing) this.finish();
    const since = performance.now() - this.last.at;
    if (line.doing === this.last.doing && since < (this.terminal ? REDRAWN_MS : TOLD_MS)) this.waiting = line;
    else this.draw(line);
  }

  /** Something besides the progress. */
  say(sentence: string): void {
    if (this.quiet) return;
    this.finish();
    process.stderr.write(`${sentence}\n`);
  }

  /** Shows what was shown last as it is now, and goes on below it. */
  finish(): void {
    if (this.waiting !== undefined) this.draw(this.waiting);
    if (this.drawn) process.stderr.write('\n');
    this.drawn = false;
  }

  private draw(line: ProgressLine): void {
    this.waiting = undefined;
    this.last = { doing: line.doing, at: performance.now() };
    if (this.terminal) process.stderr.write(`${CLEAR}${withBar(line, process.stderr.columns - 1)}`);
    else process.stderr.write(`${inWords(line)}\n`);
    this.drawn = this.terminal;
  }
}
