/** The few pictures the page needs, drawn as lines in the text's colour. */
const PATHS = {
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 4.5 4.5',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-6v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3 19 19M5 19l1.7-1.7M17.3 6.7 19 5',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z',
  menu: 'M4 7h16M4 12h16M4 17h16',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  tick: 'M5 12.5 10 17.5 19.5 7',
  alert: 'M12 4 2.8 20h18.4L12 4Zm0 6v5m0 2.2v.3',
  down: 'M12 4v12m-5-4.5 5 5 5-5M5 20h14',
  key: 'M15 9.5a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0Zm-1.3 3.2L21 20m-3-3 2-2',
};

export function Icon({ name, size = 18 }: { name: keyof typeof PATHS; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Stones() {
  return (
    <svg width="24" height="24" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
      <ellipse cx="12" cy="19" rx="9.5" ry="3.6" />
      <ellipse cx="12.6" cy="11.9" rx="6.4" ry="3" />
      <ellipse cx="11.6" cy="5.6" rx="3.9" ry="2.5" />
    </svg>
  );
}
