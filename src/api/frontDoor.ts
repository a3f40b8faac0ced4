/** Who a caller is: a circuit token stands for its holder, anything else is for the bearer's authenticator. */
import type { TokenUse } from '../broker/tokens/tokenUse.ts';
import type { Authenticate } from '../http/server.ts';
import { capabilityOf } from './wire/token.ts';

export const frontDoor =
  (tokens: Pick<TokenUse, 'tokenHolder'>, bearer: Authenticate): Authenticate =>
  (credentials) => {
    const token = capabilityOf(credentials.authorization);
    return token === undefined ? bearer(credentials) : tokens.tokenHolder(token);
  };
