/** GeoJSON (RFC 7946), out only: nodes as points, links as lines, for maps. What has no place is left out. */
import type { NodeDocument, TopologyDocument } from '../document.ts';
import type { Format } from './format.ts';

type Place = readonly [longitude: number, latitude: number];

function write(document: TopologyDocument): string {
  const sites = new Map((document.sites ?? []).map((site) => [site.id, site]));
  const placeOf = (node: NodeDocument): Place | undefined => {
    const site = sites.get(node.site ?? '');
    const longitude = node.longitude ?? site?.longitude;
    const latitude = node.latitude ?? site?.latitude;
    return longitude === undefined || latitude === undefined ? undefined : [longitude, latitude];
  };
  const places = new Map(document.nodes.map((node) => [node.id, placeOf(node)]));
  const feature = (type: string, coordinates: unknown, properties: object) => ({
    type: 'Feature',
    geometry: { type, coordinates },
    properties,
  });
  const points = document.nodes.flatMap(({ latitude: _y, longitude: _x, ...node }) => {
    const place = places.get(node.id);
    return place === undefined ? [] : [feature('Point', place, { kind: 'node', ...node })];
  });
  const lines = document.links.flatMap((link) => {
    const [a, z] = [places.get(link.a.node), places.get(link.z.node)];
    return a === undefined || z === undefined
      ? []
      : [feature('LineString', [a, z], { kind: 'link', ...link })];
  });
  return `${JSON.stringify({ type: 'FeatureCollection', features: [...points, ...lines] })}\n`;
}

export const geojson: Format = { name: 'geojson', mediaType: 'application/geo+json', write };
