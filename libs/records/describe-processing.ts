import type { ClientId } from '#platform/ids';
import { ListWebhooks } from '#webhooks/list-webhooks';
import { MOST_WEBHOOKS } from '#webhooks/webhook';
import { type IQueryHandler, Query, QueryBus, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type ControlState, type Finding } from './internal/control-checks.js';
import { FactSheet, type OpenItem } from './internal/fact-sheet.js';
import { FactStore } from './internal/fact-store.js';
import {
  type ClientUse,
  type GalleryUse,
  type Inventory,
  type NoticeUse,
  ofUse,
  ProcessingInventory,
  type PurposeUse,
} from './internal/processing-inventory.js';
import { type SystemState, SystemReader } from './internal/system-state.js';
import { type TimeLimit, timeLimits } from './internal/time-limits.js';
import { lookAtControls } from './map-controls.js';

export interface ProcessingRecord {
  readonly generatedAt: Date;
  readonly law: string;
  readonly operator: { readonly name: string | null; readonly contact: string | null };
  readonly transfers: Transfers;
  readonly clients: readonly ClientRecord[];
  readonly securityMeasures: readonly SecurityMeasure[];
  /** What the record lacks and only people know. */
  readonly openItems: readonly OpenItem[];
}

export interface Transfers {
  readonly backupTarget: string;
  readonly backupRegion: string | null;
  readonly backupLocation: string | null;
  readonly given: string | null;
}

export interface ClientRecord {
  readonly clientId: ClientId;
  readonly name: string;
  readonly disabled: boolean;
  readonly operatorRole: string | null;
  readonly controller: { readonly name: string | null; readonly contact: string | null };
  readonly representative: string | null;
  readonly dataProtectionOfficer: string | null;
  /** Hosts that are told of ids, counts and codes. */
  readonly recipients: readonly string[];
  readonly purposes: readonly PurposeRecord[];
}

export interface PurposeRecord {
  readonly purpose: string;
  readonly legalBasis: string | null;
  readonly subjects: readonly { readonly jurisdiction: string; readonly subjects: number }[];
  readonly dataCategories: readonly string[];
  readonly galleries: readonly Omit<GalleryUse, 'clientId' | 'purpose'>[];
  readonly notices: readonly Omit<NoticeUse, 'clientId' | 'purpose'>[];
  readonly otherRecipients: string | null;
  readonly timeLimits: readonly TimeLimit[];
}

export interface SecurityMeasure {
  readonly measure: string;
  readonly control: string;
  readonly state: ControlState;
  readonly evidence: Finding['evidence'];
}

/** The record of processing activities (GDPR Art. 30), of every client or of one. */
export class DescribeProcessing extends Query<ProcessingRecord> {
  constructor(readonly clientId?: ClientId) {
    super();
  }
}

@QueryHandler(DescribeProcessing)
export class DescribeProcessingHandler implements IQueryHandler<DescribeProcessing> {
  constructor(
    private readonly db: DataSource,
    private readonly queries: QueryBus,
    private readonly facts: FactStore,
    private readonly inventory: ProcessingInventory,
    private readonly system: SystemReader,
  ) {}

  async execute({ clientId }: DescribeProcessing): Promise<ProcessingRecord> {
    const [inventory, state, facts] = await Promise.all([
      this.inventory.read(),
      this.system.read(),
      this.facts.all(this.db.manager),
    ]);
    const sheet = new FactSheet(facts);
    const used = new Set(inventory.purposes.map((use) => use.clientId));
    // Who processes nothing, an officer's client for example, is no activity.
    const shown = inventory.clients.filter((each) =>
      clientId === undefined ? used.has(each.clientId) : each.clientId === clientId,
    );
    const operator = { name: sheet.find('operator_name'), contact: sheet.find('operator_contact') };
    const clients: ClientRecord[] = [];
    for (const client of shown) clients.push(await this.describe(client, inventory, sheet));
    return {
      generatedAt: state.at,
      law: 'GDPR Art. 30(1) and (2)',
      operator,
      transfers: describeTransfers(state, sheet),
      clients,
      securityMeasures: lookAtControls(state)
        .filter(({ check }) => check !== null)
        .map(({ id, serves, state: found, evidence }) => ({
          measure: serves,
          control: id,
          state: found,
          evidence,
        })),
      openItems: sheet.openItems,
    };
  }

  private async describe(client: ClientUse, inventory: Inventory, sheet: FactSheet): Promise<ClientRecord> {
    const { clientId, name, disabled } = client;
    const { items } = await this.queries.execute(new ListWebhooks(clientId, { limit: MOST_WEBHOOKS }));
    return {
      clientId,
      name,
      disabled,
      operatorRole: sheet.find('operator_role', clientId),
      controller: {
        name: sheet.find('controller_name', clientId),
        contact: sheet.find('controller_contact', clientId),
      },
      representative: sheet.find('representative', clientId),
      dataProtectionOfficer: sheet.find('dpo_contact', clientId),
      // The rest of an address may be a secret.
      recipients: [...new Set(items.map(({ url }) => new URL(url).host))].toSorted(),
      purposes: inventory.purposes
        .filter((use) => use.clientId === clientId)
        .map((use) => describePurpose(use, client, inventory, sheet)),
    };
  }
}

function describePurpose(
  use: PurposeUse,
  client: ClientUse,
  inventory: Inventory,
  sheet: FactSheet,
): PurposeRecord {
  const { clientId, purpose } = use;
  const subjects = ofUse(inventory.subjects, use);
  const galleries = ofUse(inventory.galleries, use);
  return {
    purpose,
    legalBasis: sheet.find('legal_basis', clientId, purpose),
    subjects: subjects.map(({ jurisdiction, subjects: count }) => ({ jurisdiction, subjects: count })),
    dataCategories: dataCategories(galleries, client),
    galleries: galleries.map(withoutUse),
    notices: ofUse(inventory.notices, use).map(withoutUse),
    otherRecipients: sheet.find('other_recipients', clientId, purpose),
    timeLimits: timeLimits(
      inventory.policies,
      new Set(subjects.map(({ jurisdiction }) => jurisdiction)),
      purpose,
    ),
  };
}

function dataCategories(galleries: readonly GalleryUse[], { withReference }: ClientUse): readonly string[] {
  const models = new Set(galleries.map(({ model, dimension }) => `${model}, ${dimension} dimensions`));
  return [
    ...[...models].map((model) => `Face templates, sealed (${model})`),
    ...(withReference > 0 ? ['References of the client to its people, encrypted'] : []),
    'Consents: purpose, notice, times, keyed hash of the network address',
    'Audit entries: ids, times and outcomes',
  ];
}

function describeTransfers({ backup }: SystemState, sheet: FactSheet): Transfers {
  return {
    backupTarget: backup.target,
    backupRegion: backup.target === 'none' ? null : backup.region,
    backupLocation: backup.target === 'none' ? null : sheet.find('backup_location'),
    given: sheet.find('transfers'),
  };
}

function withoutUse<T extends PurposeUse>({
  clientId: _client,
  purpose: _purpose,
  ...rest
}: T): Omit<T, 'clientId' | 'purpose'> {
  return rest;
}
