/** The log does not fit what was signed last: somebody changed it. Nothing more is signed until somebody has looked. */
export class LogInconsistent extends Error {
  override readonly name = 'LogInconsistent';
}
