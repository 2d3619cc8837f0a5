/** A database's schema as an app relies on it. Names are `schema.table.column`; maps are by such names. */
export interface Schema {
  readonly relations: ReadonlyMap<string, Relation>;
  readonly columns: ReadonlyMap<string, Column>;
  /** Constraints, and unique indexes that are none. */
  readonly rules: ReadonlyMap<string, Rule>;
  readonly triggers: ReadonlyMap<string, Trigger>;
  /** By name and types of the arguments. */
  readonly functions: ReadonlyMap<string, Routine>;
  /** Of rows: `schema.table.name`. */
  readonly policies: ReadonlyMap<string, Trigger>;
  readonly types: ReadonlyMap<string, DataType>;
  /** What each role that logs in may do, however it came by it. */
  readonly privileges: readonly Privilege[];
}

export interface Relation {
  /** pg_class.relkind: r table, v view, S sequence … */
  readonly kind: string;
  readonly rowSecurity: boolean;
  /** Of a view: a digest of what it selects. */
  readonly query: string | null;
}

export interface Routine {
  readonly answers: string;
  /** A digest of all that it does: its text, as whom it runs, its settings. */
  readonly body: string;
}

export interface Column {
  readonly relation: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly standard: string | null;
  /** PostgreSQL gives the value, and takes none. */
  readonly given: boolean;
}

export type RuleKind = 'check' | 'unique' | 'primary key' | 'foreign key' | 'exclusion';

export interface Rule {
  readonly relation: string;
  readonly kind: RuleKind;
  readonly definition: string;
  /** Of a check: what must not be false. */
  readonly expression: string | null;
  /** Names without those of the table; null stands for an expression. */
  readonly columns: readonly (string | null)[];
  /** Two rows without a value are alike. */
  readonly nullsAlike: boolean;
  /** Of a foreign key: the other table, and whether a row of it can be deleted all the same. */
  readonly references: string | null;
  readonly followsDeletion: boolean;
}

export interface Trigger {
  readonly relation: string;
  readonly definition: string;
}

export interface DataType {
  /** Of an enumeration. */
  readonly labels: readonly string[];
  /** Of a domain. */
  readonly definition: string;
}

export interface Privilege {
  readonly role: string;
  /** A relation, a column, a function or a schema. */
  readonly on: string;
  readonly right: string;
}
