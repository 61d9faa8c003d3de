/**
 * Land and borders of the world (Natural Earth, public domain) in three finenesses; each is loaded when first zoomed to, and
 * only what is in sight is drawn: the finest has sixteen megabytes as plain shapes.
 */
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Polygon, Topology } from 'topojson-specification';
import type { FeatureCollection } from 'geojson';
import coarse from 'world-atlas/countries-110m.json?url';
import middle from 'world-atlas/countries-50m.json?url';
import fine from 'world-atlas/countries-10m.json?url';

/** West, south, east, north. */
export type Box = [number, number, number, number];

export interface Outlines {
  land: FeatureCollection;
  borders: FeatureCollection;
}

interface World {
  topology: Topology;
  polygons: { shape: Polygon; box: Box }[];
}

const LEVELS = [{ zoom: 0, url: coarse }, { zoom: 3, url: middle }, { zoom: 6, url: fine }];
const loaded = new Map<string, Promise<World>>();

/** The level that a zoom needs. */
export function levelFor(zoom: number): number {
  return LEVELS.reduce((best, level, at) => (zoom >= level.zoom ? at : best), 0);
}

export async function outlines(level: number, sight: Box): Promise<Outlines> {
  const { topology, polygons } = await world(LEVELS[level]!.url);
  const shapes = polygons.filter(({ box }) => overlap(box, sight)).map(({ shape }) => shape);
  const all: GeometryCollection = { type: 'GeometryCollection', geometries: shapes };
  const land = feature(topology, all);
  const borders = mesh(topology, all, (a, b) => a !== b);
  return { land, borders: { type: 'FeatureCollection', features: [{ type: 'Feature', properties: {}, geometry: borders }] } };
}

function world(url: string): Promise<World> {
  const before = loaded.get(url);
  if (before) return before;
  const asked = fetch(url).then(async (response) => read((await response.json()) as Topology));
  loaded.set(url, asked);
  asked.catch(() => loaded.delete(url));
  return asked;
}

/** Every polygon with its box, so that islands of one country are chosen singly. */
function read(topology: Topology): World {
  const arcs = topology.arcs.map((arc) => arcBox(topology, arc));
  const countries = topology.objects.countries as GeometryCollection;
  const polygons = countries.geometries.flatMap((country): World['polygons'] => {
    const rings = country.type === 'Polygon' ? [country.arcs] : country.type === 'MultiPolygon' ? country.arcs : [];
    return rings.map((ring) => ({
      shape: { type: 'Polygon', arcs: ring },
      box: (ring[0] ?? []).map((arc) => arcs[arc < 0 ? ~arc : arc]!).reduce(join, [180, 90, -180, -90]),
    }));
  });
  return { topology, polygons };
}

function arcBox({ transform }: Topology, arc: number[][]): Box {
  let [x, y] = [0, 0];
  return arc.map(([dx, dy]): Box => {
    if (!transform) return [dx!, dy!, dx!, dy!];
    [x, y] = [x + dx!, y + dy!];
    const [lng, lat] = [x * transform.scale[0] + transform.translate[0], y * transform.scale[1] + transform.translate[1]];
    return [lng, lat, lng, lat];
  }).reduce(join);
}

const join = (a: Box, b: Box): Box => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
const overlap = (a: Box, b: Box): boolean => a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];
