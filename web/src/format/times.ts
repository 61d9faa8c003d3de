/** Times in the reader's zone; the same in UTC for the title. */

const cache = new Map<string, Intl.DateTimeFormat>();
function formatter(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  let made = cache.get(name);
  if (!made) {
    made = new Intl.DateTimeFormat(undefined, { hourCycle: 'h23', ...options });
    cache.set(name, made);
  }
  return made;
}

export function dateTime(time: string | number): string {
  return formatter('dateTime', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' }).format(new Date(time));
}

export function clock(time: string | number): string {
  return formatter('clock', { hour: '2-digit', minute: '2-digit' }).format(new Date(time));
}

export function shortDay(time: string | number): string {
  return formatter('shortDay', { day: 'numeric', month: 'short' }).format(new Date(time));
}

export function utc(time: string | number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `4 min 10 s`, `2 h 5 min`, `3 days`: two units at most. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 && minutes < 10 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}
