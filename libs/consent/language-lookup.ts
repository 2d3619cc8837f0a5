/** RFC 4647 section 3.4: of `tags` the one that fits the first range that any fits, each range cut from its end. */
export function lookupLanguage(ranges: readonly string[], tags: readonly string[]): string | undefined {
  const byName = new Map(tags.map((tag) => [tag.toLowerCase(), tag]));
  for (const range of ranges) {
    const subtags = range.toLowerCase().split('-');
    while (subtags.length > 0) {
      const found = byName.get(subtags.join('-'));
      if (found !== undefined) return found;
      subtags.pop();
      // A single letter introduces what follows it and says nothing alone.
      if (subtags.at(-1)?.length === 1) subtags.pop();
    }
  }
  return undefined;
}
