/** Why the command ends without having done its work: a sentence for whoever typed it. */
export class CannotEnrol extends Error {
  override readonly name = 'CannotEnrol';
}
