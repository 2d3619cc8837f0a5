import { Logger } from '@nestjs/common';

/** Does its work again and again with a pause in between. A failure is logged, by its kind alone, and ends nothing. */
export class RepeatedTask {
  private readonly logger = new Logger('repeated');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly name: string,
    private readonly pauseMs: number,
    private readonly work: () => Promise<void>,
  ) {}

  start(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.run();
    }, this.pauseMs);
  }

  /** What is under way is finished first. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      await this.work();
    } catch (error) {
      const errorName = error instanceof Error ? error.name : 'unknown';
      this.logger.warn({ message: 'tried again later', task: this.name, errorName });
    }
    this.start();
  }
}
