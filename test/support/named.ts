/** Rows for `it.each` whose first column is a name that fits on a line. */
export function named<T>(values: readonly T[]): [string, T][] {
  return values.map((value) => [shorten(JSON.stringify(value) ?? 'nothing'), value]);
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 50)}… (${text.length})` : text;
}
