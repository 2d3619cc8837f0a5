import type { DataSource } from 'typeorm';

const KINDS = {
  'the key set as it is now': 'FROM custody.key_set',
  'counting against limits': 'custody.charge_openings',
  'the record': 'INSERT INTO custody.opening ',
} as const;

/** Times a data source's statements, by what they are for, until it is disposed of. */
export class Statements {
  readonly seen = Object.keys(KINDS).map((what): { what: string; ms: number[] } => ({ what, ms: [] }));
  private readonly restore: () => void;

  constructor(db: DataSource) {
    const ask = db.query.bind(db);
    db.query = async <T>(...asked: Parameters<DataSource['query']>): Promise<T> => {
      const started = performance.now();
      const answer = await ask<T>(...asked);
      const kind = Object.values(KINDS).findIndex((part) => asked[0].includes(part));
      this.seen[kind]?.ms.push(performance.now() - started);
      return answer;
    };
    this.restore = () => {
      db.query = ask;
    };
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}
