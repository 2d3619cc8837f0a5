/** Why a backup or a restore did not happen: a sentence for whoever runs it. It holds no value of a secret. */
export class CannotBackUp extends Error {
  override readonly name: string = 'CannotBackUp';
}

/** The target cannot be reached, or does not do what is asked; `reason`: a name or code, no text of a server's. */
export class TargetFailed extends CannotBackUp {
  constructor(reason: string) {
    super(`The backup target failed (${reason}): is it there, and may this command read and write it?`);
  }
}

/** What is stored is not what was backed up, or cannot be brought back: an operator must look at it today. */
export class BadBackup extends CannotBackUp {
  override readonly name: string = 'BadBackup';
}

export class ObjectMissing extends BadBackup {
  constructor() {
    super('Something of the backup is missing from the target.');
  }
}
