/**
 * The browser of the tests: Chromium out of the npm registry, unpacked once beside the other modules; or CHROMIUM names one.
 * Takes the libraries and fonts that came with it where the machine has none: nothing has to be installed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--font-render-hinting=none', '--hide-scrollbars'];

const UNPACK = "import('@sparticuz/chromium').then((chromium) => chromium.default.executablePath())";
/** Makes the package unpack its libraries too. */
const ALL = { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };

/** Unpacked beside its place and then moved there: who is killed on the way leaves nothing half done. */
function unpacked(): string {
  const { version } = JSON.parse(readFileSync('node_modules/@sparticuz/chromium/package.json', 'utf8')) as { version: string };
  const folder = resolve('node_modules/.chromium', version);
  if (existsSync(folder)) return folder;
  const made = `${folder}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  execFileSync(process.execPath, ['--input-type=module', '-e', UNPACK], { env: { ...process.env, ...ALL, TMPDIR: made }, stdio: 'inherit' });
  try {
    renameSync(made, folder);
  } catch {
    rmSync(made, { recursive: true, force: true }); // another was first
  }
  return folder;
}

function starts(chromium: string, env: NodeJS.ProcessEnv): boolean {
  try {
    execFileSync(chromium, ['--version'], { env: { ...process.env, ...env }, stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/** Says by variables where the browser is and what it runs with; tests inherit them. */
export default function find(): void {
  if (process.env.CHROMIUM) return;
  const folder = unpacked();
  const chromium = join(folder, 'chromium');
  const libraries = join(folder, 'al2023/lib');
  if (!starts(chromium, {})) {
    if (!starts(chromium, { LD_LIBRARY_PATH: libraries })) throw new Error(`${chromium} does not start here: name another browser by CHROMIUM`);
    process.env.CHROMIUM_LIBRARIES = libraries;
  }
  if (!existsSync('/etc/fonts/fonts.conf')) {
    const conf = join(folder, 'fonts.conf');
    writeFileSync(conf, `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>`);
    process.env.FONTCONFIG_FILE = conf;
  }
  process.env.CHROMIUM = chromium;
}
