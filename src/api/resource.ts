/**
 * What a resource is: a function that registers the routes of one noun. Each route has TypeBox schemas, an
 * operationId, a tag, a summary and `config.authorisation`; the OpenAPI document is made from them.
 */
import type { PeerOffice } from '../broker/abroad/peerOffice.ts';
import type { UseCases } from '../broker/usecases.ts';
import type { HttpServer } from '../http/server.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';

export interface ApiPorts {
  readonly broker: UseCases;
  readonly clock: Clock;
  readonly log: Log;
  /** The domain that this broker speaks for. */
  readonly domain: string;
  readonly version: string;
  /** Webhooks may reach private addresses; for labs. */
  readonly allowPrivateWebhooks: boolean;
  /** Absent where there are no peers. */
  readonly peerOffice?: PeerOffice;
}

export type Resource = (app: HttpServer, ports: ApiPorts) => void;
