import type { NoticeItem } from '#policy/consent-rules';
import type { PolicyDocument } from '#policy/policy-document';

/** What a notice says, item by item. */
export type NoticeItems = Readonly<Partial<Record<NoticeItem, string>>>;

/** What a policy asks for and a notice does not say. */
export function missingItems({ notice }: PolicyDocument, items: NoticeItems | null): readonly NoticeItem[] {
  return notice.items.value.filter((item) => items?.[item] === undefined);
}
