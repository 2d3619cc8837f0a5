/** What a caller is told of an error: RFC 9457 members that never vary from one occurrence to the next. */
export interface Problem {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  /** One sentence that says what to do next. It never holds a value from the request. */
  readonly detail: string;
  readonly retryAfterSeconds?: number;
}

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

export class DomainError extends Error {
  /**
   * `fields` says which members of the input are at fault, where that helps: names and rules, never values;
   * `retryAfterSeconds` how long this one has to wait, where that varies.
   */
  constructor(
    readonly problem: Problem,
    readonly fields: readonly FieldProblem[] = [],
    readonly retryAfterSeconds = problem.retryAfterSeconds,
  ) {
    super(problem.detail);
    this.name = new.target.name;
  }
}

export interface DomainErrorClass {
  new (fields?: readonly FieldProblem[], retryAfterSeconds?: number): DomainError;
  readonly problem: Problem;
}

/** The base of one domain error: `class ConsentRequired extends domainError({ … }) {}`. */
export function domainError(problem: Problem): DomainErrorClass {
  return class extends DomainError {
    static readonly problem = problem;

    constructor(fields?: readonly FieldProblem[], retryAfterSeconds?: number) {
      super(problem, fields, retryAfterSeconds);
    }
  };
}
