/** Of a day, by UTC. */
export interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
}

const DAY_MS = 86_400_000;

/** When the next backup is due: at the first such time after the newest; at once if there is none. */
export function dueAfter(newest: Date | undefined, { hour, minute }: TimeOfDay): Date {
  if (newest === undefined) return new Date(0);
  const sameDay = new Date(newest);
  sameDay.setUTCHours(hour, minute, 0, 0);
  return sameDay > newest ? sameDay : new Date(sameDay.getTime() + DAY_MS);
}
