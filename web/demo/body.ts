/** What is inside an envelope. `hello`: whoever followed a link tells who they are. `burst`: one of many that are only counted. */
export type Body =
  | { readonly kind: 'hello' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'burst'; readonly run: string; readonly index: number; readonly of: number };

const MAX_BURST = 100_000;

export function encodeBody(body: Body): string {
  return JSON.stringify(body);
}

/** `null` for what this page does not write: anybody may send us anything. */
export function decodeBody(plaintext: string): Body | null {
  const { kind, text, run, index, of } = membersOf(plaintext);
  if (kind === 'hello') return { kind };
  if (kind === 'text' && typeof text === 'string') return { kind, text };
  const isBurst = kind === 'burst' && typeof run === 'string' && run.length <= 64;
  if (!isBurst || !isIndex(of, MAX_BURST) || !isIndex(index, of - 1)) return null;
  return { kind, run, index, of };
}

function membersOf(plaintext: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(plaintext);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isIndex(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}
