/** The API did not do its main job. The message names the step and shows no value of the answer but its code. */
export class SmokeFailed extends Error {
  override readonly name = 'SmokeFailed';
}
