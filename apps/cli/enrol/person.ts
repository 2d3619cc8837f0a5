/** What becomes one template: the photographs of one person, as paths inside the folder. */
export interface Person {
  readonly subjectId?: string;
  readonly reference?: string;
  readonly consentId?: string;
  readonly files: readonly string[];
}

export interface Skipped {
  readonly file: string;
  readonly reason: string;
}

/** How a person is called to whoever typed the command. */
export function nameOf({ files, reference, subjectId }: Person): string {
  return files.length === 0 ? (reference ?? subjectId ?? '(no file)') : files.join(', ');
}
