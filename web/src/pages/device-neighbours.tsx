/** Where a device stands, and the neighbours it was compared with where it was refused. */
import { useMemo } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import type { FeatureCollection } from 'geojson';
import { useGet } from '../api/use';
import type { Schemas } from '../api/client';
import { point, shaded } from '../map/places';
import { Card, Empty } from '../ui/block';
import { PlaceMap } from '../ui/map';

export function Neighbours({ of, stay }: { of: Schemas['Device']; stay: Schemas['Membership'] | undefined }) {
  const { route } = useLocation();
  const fields = useGet('/v1/fields/{vertical}', stay ? { params: { path: { vertical: stay.vertical } } } : null, false);
  const field = fields.data?.fields.find((one) => one.chart !== 'none')?.name;
  const readings = useGet('/v1/devices/{id}/readings', stay && field ? { params: { path: { id: of.id }, query: { network: stay.network, field } } } : null, false);
  const stretch = readings.data?.stretches.find((one) => one.neighbours.length > 0);
  const around = useGet('/v1/networks/{id}/cells.geojson', stay ? { params: { path: { id: stay.network } } } : null, false);
  const cells = useMemo(() => shaded(around.data), [around.data]);
  const places = useMemo((): FeatureCollection | undefined => {
    if (!stay) return undefined;
    const others = (stretch?.neighbours ?? []).map((one) => point(one.id, one.lng, one.lat, one.verdict));
    return { type: 'FeatureCollection', features: [...others, point(of.id, stay.lng, stay.lat, 'here')] };
  }, [stay?.cell, stretch]);
  return (
    <Card title={stretch ? 'The neighbours it was compared with' : 'Place'} flush note="Places are the middle of a cell, never more exact.">
      {places && stay ? (
        <PlaceMap small label={`Map of device ${of.number}${stretch ? ' and its neighbours' : ''}`} devices={places} cells={cells} nearDevices
          legend={<ul><li><i class="dot here" />this device</li>{stretch && <><li><i class="dot" />believed</li><li><i class="dot bad" />refused</li><li><i class="dot quiet" />silent</li></>}</ul>}
          onPick={(feature, layer) => layer === 'devices' && route(`/devices/${String(feature.properties?.id)}`)}
          describe={(feature, layer) => layer === 'cells' ? <>{feature.properties?.reporting} of {feature.properties?.devices} devices report here</> : (feature.properties?.id === of.id ? <b>This device</b> : <>{name(stretch, String(feature.properties?.id))}: {feature.properties?.state}</>)} />
      ) : <Empty title="It stands in no network." />}
      {stretch && (
        <ul class="neighbours">
          {stretch.neighbours.map((one) => <li key={one.id}><a href={`/devices/${one.id}`}>Device {one.number}</a>, {one.steps === 0 ? 'same cell' : one.steps === 1 ? 'next cell' : `${one.steps} cells away`}: {one.verdict}</li>)}
        </ul>
      )}
    </Card>
  );
}

function name(stretch: Schemas['Stretch'] | undefined, id: string): string {
  return `Device ${stretch?.neighbours.find((one) => one.id === id)?.number ?? ''}`;
}
