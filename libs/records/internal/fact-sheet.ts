import type { ClientId } from '#platform/ids';
import { FACT_KINDS, type FactName } from '../fact-kinds.js';

export interface Fact {
  readonly name: FactName;
  readonly clientId: ClientId | null;
  readonly purpose: string | null;
  readonly value: string;
}

/** What somebody still has to say, and where the law asks for it. */
export interface OpenItem {
  readonly fact: FactName;
  readonly title: string;
  readonly source: string;
  readonly clientId: ClientId | null;
  readonly purpose: string | null;
}

/** Looks facts up, and remembers what was asked for in vain. */
export class FactSheet {
  private readonly missing = new Map<string, OpenItem>();

  constructor(private readonly facts: readonly Fact[]) {}

  get openItems(): readonly OpenItem[] {
    return [...this.missing.values()];
  }

  /** The narrowest that was given: of the client's purpose, the client, the purpose, the installation. */
  find(name: FactName, clientId: ClientId | null = null, purpose: string | null = null): string | null {
    const found = this.facts
      .filter(
        (fact) =>
          fact.name === name &&
          (fact.clientId === null || fact.clientId === clientId) &&
          (fact.purpose === null || fact.purpose === purpose),
      )
      .toSorted((a, b) => width(a) - width(b))
      .at(0);
    if (found === undefined) this.note(name, clientId, purpose);
    return found?.value ?? null;
  }

  private note(fact: FactName, clientId: ClientId | null, purpose: string | null): void {
    const { title, source } = FACT_KINDS[fact];
    this.missing.set(`${fact} ${clientId} ${purpose}`, { fact, title, source, clientId, purpose });
  }
}

function width({ clientId, purpose }: Fact): number {
  return (clientId === null ? 2 : 0) + (purpose === null ? 1 : 0);
}
