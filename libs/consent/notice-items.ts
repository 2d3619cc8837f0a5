import type { NoticeItem } from '#policy/policy-document';

/** What a notice says, item by item. */
export type NoticeItems = Readonly<Partial<Record<NoticeItem, string>>>;
