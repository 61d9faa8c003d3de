/** Light or dark: the reader's choice if there is one, else the system's. Kept in this browser only. */
import { useEffect, useState } from 'preact/hooks';
import { keep, kept } from './keep';

export type Theme = 'light' | 'dark';
const system = () => matchMedia('(prefers-color-scheme: dark)');
const CHANGED = 'theme-changed';

export function currentTheme(): Theme {
  const chosen = kept<Theme>('theme');
  return chosen ?? (system().matches ? 'dark' : 'light');
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = currentTheme();
  document.dispatchEvent(new Event(CHANGED));
}

export function switchTheme(): void {
  keep('theme', currentTheme() === 'dark' ? 'light' : 'dark');
  applyTheme();
}

/** The theme in force; draws again when it changes. */
export function useTheme(): Theme {
  const [theme, set] = useState(currentTheme);
  useEffect(() => {
    const changed = () => set(currentTheme());
    const media = system();
    media.addEventListener('change', applyTheme);
    document.addEventListener(CHANGED, changed);
    return () => {
      media.removeEventListener('change', applyTheme);
      document.removeEventListener(CHANGED, changed);
    };
  }, []);
  return theme;
}

/** A colour of the theme, for canvases. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
