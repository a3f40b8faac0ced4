/** min_mtu: every link and both ports pass frames of this size. */
import { Type } from 'typebox';
import { constraint } from './constraint.ts';

export const minMtu = constraint(
  'min_mtu',
  Type.Integer({
    minimum: 68,
    maximum: 65_535,
    description: 'The least frame size, in bytes, of every link.',
  }),
  (least, { network }) => ({
    forbidsLink: (link) => network.link(link).mtu < least,
    forbidsPort: (port) => port.mtu < least,
  }),
);
