/**
 * The real network of the tests: `cairn demo`, which plays a day, serves on, and ends with them. CAIRN names the program;
 * CAIRN_URL a network that runs already (CAIRN_HOME its folder of commands). With FRONT=1 the page is that of dist/, not that of the
 * program: it need not be built again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { front } from './front';

interface Told {
  urls: { explorer: string };
  home: string;
}

async function told(demo: ChildProcess): Promise<Told> {
  for await (const line of createInterface({ input: demo.stdout! })) {
    if (line.startsWith('{')) return JSON.parse(line) as Told;
  }
  throw new Error('the demo ended before its story did');
}

/** What is to be ended, the last begun first. */
type End = () => void | Promise<void>;

async function demo(program: string): Promise<End> {
  const demo = spawn(program, ['demo', '--days', '1', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = () => demo.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise((done) => demo.once('exit', done));
  const { urls, home } = await told(demo);
  process.env.CAIRN_URL = urls.explorer;
  process.env.CAIRN_HOME = home;
  return async () => {
    process.off('exit', kill);
    demo.kill('SIGTERM');
    await ended;
  };
}

export default async function play(): Promise<(() => Promise<void>) | undefined> {
  const program = process.env.CAIRN;
  const ends: End[] = [];
  if (program && !process.env.CAIRN_URL) ends.unshift(await demo(program));
  if (process.env.FRONT && process.env.CAIRN_URL) {
    const { url, end } = await front(process.env.CAIRN_URL);
    process.env.CAIRN_URL = url;
    ends.unshift(end);
  }
  return async () => {
    for (const end of ends) await end();
  };
}
