import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { callbackify } from 'node:util';
import pg from 'pg';

/** A parameter of ours in a database URL: the file of a secret that holds the password, or several, one a line. */
export const PASSWORD_FILE = 'passwordfile';

/** While a password, or a certificate and then its key, are replaced, a connection may not be made at once. */
const TRIES = 6;
const PAUSE_MS = 50;

/** PostgreSQL's invalid_password; a certificate and a key that do not belong together; half a file. */
const PASSING = /^(28P01|ERR_OSSL_.+)$/;

type Connected = (error: Error | null | undefined) => void;

/** Which line of a file the server took last. The file is read for each connection, so that a new one counts at once. */
class Passwords {
  private preferred = 0;

  constructor(private readonly path: string) {}

  current(): string {
    const lines = passwordsIn(readFileSync(this.path, 'utf8'));
    return lines[this.preferred % lines.length] ?? '';
  }

  refused(password: string): void {
    // Others that were refused at the same time may have moved on already.
    if (this.current() === password) this.preferred++;
  }
}

const files = new Map<string, Passwords>();

export function passwordsIn(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** A client that takes its password from the file that its URL names, if it names one. */
export class DatabaseClient extends pg.Client {
  private readonly passwords: Passwords | undefined;
  private tried = '';

  constructor(config: pg.ClientConfig = {}) {
    super(config);
    const path = passwordFileOf(config.connectionString);
    if (path === undefined) return;
    const passwords = files.get(path) ?? new Passwords(path);
    files.set(path, passwords);
    this.passwords = passwords;
    // pg takes a function in its configuration, too, but over that the URL wins.
    Object.assign(this, { password: () => (this.tried = passwords.current()) });
  }

  override connect(): Promise<void>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<void> | void {
    if (callback === undefined) {
      return super.connect().catch((error: unknown) => {
        this.learn(error);
        throw error;
      });
    }
    super.connect((error) => {
      this.learn(error);
      callback(error);
    });
  }

  private learn(error: unknown): void {
    if (codeOf(error) === '28P01') this.passwords?.refused(this.tried);
  }
}

/** A pool whose callers do not notice that a password or a certificate is being replaced. */
export class PatientPool extends pg.Pool {
  constructor(config: pg.PoolConfig) {
    super({ ...config, Client: DatabaseClient });
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: PoolCallback): void;
  override connect(callback?: PoolCallback): Promise<pg.PoolClient> | void {
    const connected = patiently(() => super.connect());
    if (callback === undefined) return connected;
    callbackify(() => connected)((error, client) => {
      callback(error ?? undefined, client, (release) => client.release(release));
    });
  }
}

type PoolCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;

/** For TypeORM: pg with that pool. */
export const PATIENT_PG: object = Object.create(pg, { Pool: { value: PatientPool } });

/** Makes a connection, and tries again where that passes. */
export async function patiently<R>(connect: () => Promise<R>): Promise<R> {
  for (let tries = 1; ; tries++) {
    try {
      return await connect();
    } catch (error) {
      if (tries === TRIES || !PASSING.test(codeOf(error))) throw error;
      await setTimeout(PAUSE_MS * tries);
    }
  }
}

function passwordFileOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url)
    ? (new URL(url).searchParams.get(PASSWORD_FILE) ?? undefined)
    : undefined;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
