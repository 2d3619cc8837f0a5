/** Why a backup or a restore did not happen: a sentence for whoever runs it. It holds no value of a secret. */
export class CannotBackUp extends Error {
  override readonly name: string = 'CannotBackUp';
}

/** What is stored is not what was backed up, or cannot be brought back: an operator must look at it today. */
export class BadBackup extends CannotBackUp {
  override readonly name = 'BadBackup';
}
