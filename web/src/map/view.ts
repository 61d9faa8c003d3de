/** The map itself (MapLibre): made once, fed with places. In a file of its own, so that pages load without it. */
import { type GeoJSONSource, Map as MapView, NavigationControl, setWorkerUrl } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import 'maplibre-gl/dist/maplibre-gl.css';
import type { Feature, FeatureCollection, Position } from 'geojson';
import { type Box, levelFor, outlines } from './outlines';
import { NOTHING, mapStyle } from './style';

setWorkerUrl(workerUrl);

export interface Places {
  cells?: FeatureCollection;
  devices?: FeatureCollection;
  /** Show the whole world first, wherever the places are. */
  world?: boolean;
  /** Look at the devices; cells are what is around them. */
  nearDevices?: boolean;
}

export interface Shown {
  set: (places: Places) => void;
  restyle: () => void;
  remove: () => void;
}

export interface Callbacks {
  hover: (feature: Feature | null, layer: 'cells' | 'devices' | null) => void;
  click: (feature: Feature, layer: 'cells' | 'devices') => void;
}

const ZOOM_MAX = 12.5;
/** A place with nothing around it is shown with the coast and the country it is in. */
const ALONE_ZOOM_MAX = 8.5;
/** One among cells is shown with some of them. */
const AMONG_ZOOM_MAX = 11;
function zoomMax({ cells, devices, nearDevices }: Places): number {
  if (devices?.features.length !== 1) return ZOOM_MAX;
  return cells?.features.length ? (nearDevices ? AMONG_ZOOM_MAX : ZOOM_MAX) : ALONE_ZOOM_MAX;
}

const WORLD: [[number, number], [number, number]] = [[-128, -50], [150, 66]];

export function show(container: HTMLElement, first: Places, still: boolean, callbacks: Callbacks): Shown {
  const map = new MapView({
    container,
    style: mapStyle(),
    bounds: WORLD,
    maxZoom: 17,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    cooperativeGestures: true,
    fadeDuration: 0,
  });
  map.touchZoomRotate.disableRotation();
  if (!still) map.addControl(new NavigationControl({ showCompass: false }), 'top-left');
  let places = first;
  let ready = false;
  let placed = '';
  let drawn: { level: number; box: Box } | undefined;
  let waiting = 0;
  /** The reader moved it: leave it where it is. */
  let touched = false;

  const source = (name: string) => map.getSource(name) as GeoJSONSource | undefined;
  const restless = () => (container.dataset.idle = 'false');
  /** What is in sight with half a screen around it, anew only when one looks past that. */
  const drawOutlines = () => {
    const level = levelFor(map.getZoom());
    const sight = boxOf(map);
    if (!ready || (drawn?.level === level && holds(drawn.box, sight))) return;
    drawn = { level, box: widen(sight) };
    waiting += 1;
    restless();
    outlines(level, drawn.box).then(({ land, borders }) => {
      source('land')?.setData(land);
      source('borders')?.setData(borders);
    }, () => (drawn = undefined)).finally(() => (waiting -= 1));
  };
  const draw = () => {
    if (!ready) return;
    restless();
    source('cells')?.setData(places.cells ?? NOTHING);
    source('devices')?.setData(places.devices ?? NOTHING);
    const bounds = places.world ? WORLD : boundsOf(places);
    const key = JSON.stringify(bounds);
    if (!bounds || key === placed) return;
    placed = key;
    touched = false;
    fit();
  };
  const fit = () => {
    const bounds = places.world ? WORLD : boundsOf(places);
    if (bounds) map.fitBounds(bounds, { padding: still ? 24 : 48, maxZoom: zoomMax(places), duration: 0 });
  };
  const begin = () => {
    ready = true;
    drawn = undefined;
    draw();
    drawOutlines();
  };
  map.on('load', begin);
  map.on('resize', () => ready && !touched && fit());
  map.on('movestart', (event) => (touched ||= event.originalEvent !== undefined));
  map.on('moveend', drawOutlines);
  map.on('idle', () => (container.dataset.idle = String(ready && waiting === 0)));
  map.on('mousemove', (event) => {
    const [found] = map.queryRenderedFeatures(event.point, { layers: ['devices', 'cells'] });
    map.getCanvas().style.cursor = found ? 'pointer' : '';
    callbacks.hover(found ?? null, found ? (found.layer.id as 'cells' | 'devices') : null);
  });
  map.on('mouseout', () => callbacks.hover(null, null));
  map.on('click', (event) => {
    const [found] = map.queryRenderedFeatures(event.point, { layers: ['devices', 'cells'] });
    if (found) callbacks.click(found, found.layer.id as 'cells' | 'devices');
  });

  return {
    set: (next) => {
      places = next;
      draw();
    },
    restyle: () => {
      ready = false;
      map.once('style.load', begin);
      map.setStyle(mapStyle(), { diff: false });
    },
    remove: () => map.remove(),
  };
}

function boxOf(map: MapView): Box {
  const bounds = map.getBounds();
  return [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
}

function widen([west, south, east, north]: Box): Box {
  const [x, y] = [(east - west) / 2, (north - south) / 2];
  return [west - x, south - y, east + x, north + y];
}

const holds = (outer: Box, inner: Box): boolean => outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];

/** Around the cells; around the devices where there are none, or where those are meant. */
function boundsOf({ cells, devices, nearDevices }: Places): [[number, number], [number, number]] | undefined {
  let [west, south, east, north] = [180, 90, -180, -90];
  const take = ([lng, lat]: Position) => {
    [west, south, east, north] = [Math.min(west, lng!), Math.min(south, lat!), Math.max(east, lng!), Math.max(north, lat!)];
  };
  for (const { geometry } of cells?.features.length && !(nearDevices && devices?.features.length) ? cells.features : (devices?.features ?? [])) {
    if (geometry.type === 'Point') take(geometry.coordinates);
    else if (geometry.type === 'Polygon') geometry.coordinates[0]?.forEach(take);
  }
  return west > east ? undefined : [[west, south], [east, north]];
}
