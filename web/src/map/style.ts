/** How the map looks: land, borders, cells and devices in the theme's colours. No tiles, no glyphs, nothing from elsewhere. */
import type { ExpressionSpecification, StyleSpecification } from 'maplibre-gl';
import type { FeatureCollection } from 'geojson';
import { colour } from '../theme';

export const NOTHING: FeatureCollection = { type: 'FeatureCollection', features: [] };

export function mapStyle(): StyleSpecification {
  return {
    version: 8,
    sources: {
      land: { type: 'geojson', data: NOTHING, maxzoom: 12 },
      borders: { type: 'geojson', data: NOTHING, maxzoom: 12 },
      cells: { type: 'geojson', data: NOTHING },
      devices: { type: 'geojson', data: NOTHING },
    },
    layers: [
      { id: 'water', type: 'background', paint: { 'background-color': colour('map-water') } },
      { id: 'land', type: 'fill', source: 'land', paint: { 'fill-color': colour('map-land') } },
      { id: 'coast', type: 'line', source: 'land', paint: { 'line-color': colour('map-border'), 'line-width': 0.8 } },
      { id: 'borders', type: 'line', source: 'borders', paint: { 'line-color': colour('map-border'), 'line-width': 0.8 } },
      { id: 'cells', type: 'fill', source: 'cells', paint: { 'fill-color': ramp(), 'fill-opacity': 0.78 } },
      { id: 'cell-lines', type: 'line', source: 'cells', paint: { 'line-color': colour('map-land'), 'line-width': 1 } },
      { id: 'cell-chosen', type: 'line', source: 'cells', filter: ['==', ['get', 'chosen'], true], paint: { 'line-color': colour('focus'), 'line-width': 3 } },
      { id: 'devices', type: 'circle', source: 'devices', paint: devicePaint() },
    ],
  };
}

/** Five steps of the share of the fullest cell; grey where nothing was believed. */
function ramp(): ExpressionSpecification {
  return ['case', ['<=', ['get', 'share'], 0], colour('line'),
    ['step', ['get', 'share'], colour('ramp-1'), 0.2, colour('ramp-2'), 0.4, colour('ramp-3'), 0.6, colour('ramp-4'), 0.8, colour('ramp-5')]];
}

function devicePaint() {
  const good = ['earning', 'accepted'];
  const bad = ['refused', 'excluded', 'barred'];
  const tone = (yes: string, no: string, other: string): ExpressionSpecification =>
    ['case', ['==', ['get', 'state'], 'here'], colour('focus'), ['in', ['get', 'state'], ['literal', good]], yes, ['in', ['get', 'state'], ['literal', bad]], no, other];
  return {
    'circle-radius': ['interpolate', ['linear'], ['zoom'], 1, 2.2, 8, 3.4, 12, ['case', ['==', ['get', 'state'], 'here'], 9, 6]] as ExpressionSpecification,
    'circle-color': tone(colour('chart-1'), colour('chart-3'), colour('surface')),
    'circle-stroke-color': tone(colour('surface'), colour('surface'), colour('ink-3')),
    'circle-stroke-width': 1.4,
  };
}
