/**
 * What stays in this browser: theme, costs an operator entered, public halves of passkeys. Of secrets only the keys of open orders
 * (`wallet/orders.ts`), each worth what its order holds and gone at its end; never one of an account.
 */
const PREFIX = 'cairn.';

export function kept<T>(name: string): T | undefined {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

/** Keeps it, or forgets it when there is nothing. A browser that keeps nothing is no error. */
export function keep(name: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Private windows may refuse; the page works on without it.
  }
}

/** The names of all that is kept under names that begin so. */
export function everyKept(prefix: string): string[] {
  try {
    const names = Array.from({ length: localStorage.length }, (_, at) => localStorage.key(at) ?? '');
    return names.filter((name) => name.startsWith(PREFIX + prefix)).map((name) => name.slice(PREFIX.length));
  } catch {
    return [];
  }
}
