/**
 * The page as it is in dist/, in front of a real explorer whose program holds another one, or none: files come from here with the
 * explorer's own headers, everything else is the explorer's. For work on the page; never used where CAIRN holds the page that is tested.
 */
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';

const KINDS: Record<string, string> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.json': 'application/json', '.txt': 'text/plain; charset=utf-8', '.woff2': 'font/woff2', '.svg': 'image/svg+xml',
};

async function file(path: string): Promise<[Buffer, string] | undefined> {
  const wanted = normalize(path).replace(/^\/+/, '');
  const name = extname(wanted) === '' ? 'index.html' : wanted;
  const bytes = await readFile(join('dist', name)).catch(() => undefined);
  return bytes && [bytes, KINDS[extname(name)] ?? 'application/octet-stream'];
}

/** Passes on, and answers as it was answered; a page's body is exchanged for the one here. */
function pass(explorer: URL, asked: IncomingMessage, answer: ServerResponse): void {
  const { pathname } = new URL(asked.url ?? '/', explorer);
  const ours = !pathname.startsWith('/v1') && pathname !== '/metrics';
  const headers = { ...asked.headers, host: explorer.host, ...(ours && { 'accept-encoding': 'identity' }) };
  const on = request({ host: explorer.hostname, port: explorer.port, path: ours ? '/' : asked.url, method: asked.method, headers }, async (came) => {
    const found = ours && (await file(pathname));
    if (!ours) return void came.pipe(answer.writeHead(came.statusCode ?? 502, came.headers));
    came.resume();
    if (!found) return void answer.writeHead(404).end();
    const { 'content-length': _, 'content-type': __, etag: ___, ...rest } = came.headers;
    answer.writeHead(200, { ...rest, 'content-type': found[1], 'content-encoding': 'gzip' }).end(gzipSync(found[0]));
  });
  on.once('error', () => answer.writeHead(502).end());
  answer.once('close', () => on.destroy());
  asked.pipe(on);
}

/** Where it is reached, under the name that passkeys belong to; and how it ends. */
export async function front(explorer: string): Promise<{ url: string; end: () => void }> {
  const server: Server = createServer((asked, answer) => pass(new URL(explorer), asked, answer));
  await new Promise<void>((listening) => server.listen(0, 'localhost', listening));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}`, end: () => void (server.close(), server.closeAllConnections()) };
}
