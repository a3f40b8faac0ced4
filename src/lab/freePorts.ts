/** Ports of the loopback that nobody has just now: for a lab that was not told which ones to take. */
import { type AddressInfo, createServer, type Server } from 'node:net';

export async function freePorts(count: number): Promise<number[]> {
  // All are held until all are found, so that none is found twice.
  const held: Server[] = [];
  for (let i = 0; i < count; i++) {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    held.push(server);
  }
  const ports = held.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
