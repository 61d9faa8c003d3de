/** A map in a page: loads the map library when it comes into sight, and says in words what is under the pointer. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Feature } from 'geojson';
import type { Places, Shown } from '../map/view';
import { useTheme } from '../theme';

interface MapProps extends Places {
  label: string;
  small?: boolean;
  legend?: ComponentChildren;
  describe?: (feature: Feature, layer: 'cells' | 'devices') => ComponentChildren;
  onPick?: (feature: Feature, layer: 'cells' | 'devices') => void;
}

export function PlaceMap({ label, small = false, legend, describe, onPick, cells, devices, world, nearDevices }: MapProps) {
  const host = useRef<HTMLDivElement>(null);
  const shown = useRef<Shown | null>(null);
  const places = useRef<Places>({ cells, devices, world, nearDevices });
  const pick = useRef(onPick);
  places.current = { cells, devices, world, nearDevices };
  pick.current = onPick;
  const [hover, setHover] = useState<{ feature: Feature; layer: 'cells' | 'devices' } | null>(null);
  const [trouble, setTrouble] = useState(false);
  const theme = useTheme();
  const first = useRef(theme);

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    let gone = false;
    const start = () => {
      watch.disconnect();
      import('../map/view').then(({ show }) => {
        if (gone) return;
        shown.current = show(element, places.current, small, {
          hover: (feature, layer) => setHover(feature && layer ? { feature, layer } : null),
          click: (feature, layer) => pick.current?.(feature, layer),
        });
      }).catch(() => setTrouble(true));
    };
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && start(), { rootMargin: '200px' });
    watch.observe(element);
    return () => {
      gone = true;
      watch.disconnect();
      shown.current?.remove();
      shown.current = null;
    };
  }, []);

  useEffect(() => shown.current?.set({ cells, devices, world, nearDevices }), [cells, devices, world, nearDevices]);
  useEffect(() => {
    if (first.current !== theme) shown.current?.restyle();
    first.current = theme;
  }, [theme]);

  return (
    <div class={small ? 'map small' : 'map'} role="region" aria-label={label}>
      <div class="canvas" ref={host} />
      {trouble && <div class="state"><b>The map cannot be drawn here.</b><p>This browser gives no WebGL. The same places are in the table.</p></div>}
      {hover && describe && <div class="hover">{describe(hover.feature, hover.layer)}</div>}
      {legend && <div class="legend">{legend}</div>}
    </div>
  );
}

/** `most`: what the fullest cell has, in words; the shades are fifths of it. */
export function CellLegend({ what, most }: { what: string; most?: string }) {
  return (
    <>
      {what}
      <div class="ramp" aria-hidden="true">{[1, 2, 3, 4, 5].map((step) => <i key={step} style={{ background: `var(--ramp-${step})` }} />)}</div>
      {most && <div class="ramp-ends"><span>0</span><span>{most}</span></div>}
      <ul>
        <li><i class="dot" />earning</li>
        <li><i class="dot bad" />refused</li>
        <li><i class="dot quiet" />silent or new</li>
      </ul>
    </>
  );
}
