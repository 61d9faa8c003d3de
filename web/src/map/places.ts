/** Rows of the API as places on the map. Shares are of the fullest cell. */
import type { Feature, FeatureCollection } from 'geojson';
import type { Schemas } from '../api/client';

/** Cells of `/cells.geojson`, with the share that colours them. */
export function shaded(cells: Schemas['GeoJson'] | undefined, chosen?: ReadonlySet<string>): FeatureCollection | undefined {
  if (!cells) return undefined;
  const features = cells.features as Feature[];
  const units = (feature: Feature) => Number(feature.properties?.units ?? 0);
  const most = Math.max(1, ...features.map(units));
  return {
    type: 'FeatureCollection',
    features: features.map((feature) => ({
      ...feature,
      properties: { ...feature.properties, share: units(feature) / most, chosen: chosen?.has(String(feature.properties?.cell)) ?? false },
    })),
  };
}

/** Units of the fullest cell, micro. */
export function fullest(cells: Schemas['GeoJson'] | undefined): bigint {
  const all = ((cells?.features ?? []) as Feature[]).map((feature) => BigInt(String(feature.properties?.units ?? 0)));
  return all.reduce((most, one) => (one > most ? one : most), 0n);
}

export function points(devices: Schemas['GeoJson'] | undefined): FeatureCollection | undefined {
  return devices && { type: 'FeatureCollection', features: devices.features as Feature[] };
}

export function point(id: string, lng: number, lat: number, state: string): Feature {
  return { type: 'Feature', properties: { id, state }, geometry: { type: 'Point', coordinates: [lng, lat] } };
}
