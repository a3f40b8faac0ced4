/**
 * Installs the dependencies when they are missing or older than package-lock.json, and builds `dist` when
 * its sources have changed. Plain Node without dependencies, because it runs before there are any; silent
 * and quick when nothing is to do. `--no-build` stops after the installation.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => join(ROOT, ...parts);
const say = (text) => process.stderr.write(`turnpike: ${text}\n`);

function fail(text) {
  say(text);
  process.exit(1);
}

const textOf = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};
const hashOf = (text) => createHash('sha256').update(text).digest('hex');

/** Runs one program, its output on our standard error, so that standard output stays the caller's. */
function run(what, command, args) {
  const done = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (done.error !== undefined) fail(`${what}: ${done.error.message}`);
  if (done.status !== 0) fail(`${what} failed (exit code ${done.status ?? done.signal}); see above`);
}

// ---- Node ------------------------------------------------------------------------------------------------

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19))
  fail(`Node >= 20.19 is needed, this is ${process.versions.node}`);

// ---- dependencies ----------------------------------------------------------------------------------------

const LOCK = at('package-lock.json');
const INSTALLED = at('node_modules', '.package-lock.json');
const INSTALL_STAMP = at('node_modules', '.turnpike-installed');

const lockHash = () => hashOf(textOf(LOCK) + process.versions.modules);

/** npm writes INSTALLED last; the stamp tells a touched lock file from a changed one. */
function installed() {
  if (!existsSync(INSTALLED)) return false;
  if (textOf(INSTALL_STAMP) === lockHash()) return true;
  return !existsSync(INSTALL_STAMP) && statSync(INSTALLED).mtimeMs >= statSync(LOCK).mtimeMs;
}

function install() {
  say(
    'installing dependencies; the first time a database driver may be compiled, which takes a minute or two',
  );
  run('npm ci', process.platform === 'win32' ? 'npm.cmd' : 'npm', [
    'ci',
    '--no-fund',
    '--no-audit',
    '--loglevel=error',
  ]);
  writeFileSync(INSTALL_STAMP, lockHash());
}

// ---- build -----------------------------------------------------------------------------------------------

const BUILD_STAMP = at('dist', '.built');

function* filesUnder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else yield path;
  }
}

/** Changes when a source is added, edited or removed, or when the way of building is. */
function sourcesHash() {
  const lines = [...filesUnder(at('src'))].sort().map((file) => {
    const { mtimeMs, size } = statSync(file);
    return `${relative(ROOT, file)} ${size} ${mtimeMs}`;
  });
  return hashOf(
    [lines.join('\n'), textOf(at('tsconfig.json')), textOf(at('tsconfig.build.json')), textOf(LOCK)].join(
      '\0',
    ),
  );
}

function build() {
  const before = sourcesHash();
  if (textOf(BUILD_STAMP) === before) return;
  say('building');
  rmSync(BUILD_STAMP, { force: true });
  run('the build', process.execPath, [
    at('node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    'tsconfig.build.json',
  ]);
  // What has no source any more would still be imported by whoever has a stale path to it.
  for (const file of [...filesUnder(at('dist'))]) {
    const source = at('src', relative(at('dist'), file).replace(/\.js(\.map)?$/, '.ts'));
    if (!existsSync(source)) rmSync(file);
  }
  writeFileSync(BUILD_STAMP, before);
}

// ---- one at a time ---------------------------------------------------------------------------------------

// Not in node_modules, which `npm ci` removes as a whole.
const GUARD = join(tmpdir(), `turnpike-preparing-${hashOf(ROOT).slice(0, 16)}`);

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two commands started at once must not install over each other: the second waits for the first. */
function guarded(act) {
  for (let waited = 0; ; waited++) {
    try {
      const file = openSync(GUARD, 'wx');
      writeFileSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const holder = Number(textOf(GUARD));
      if (holder > 0 && !alive(holder)) rmSync(GUARD, { force: true });
      else if (waited === 0) say('waiting for another preparation to end');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
      if (waited > 4 * 900) fail(`another preparation has held ${GUARD} for 15 minutes`);
    }
  }
  const release = () => rmSync(GUARD, { force: true });
  process.on('exit', release);
  act();
}

const wantsBuild = !process.argv.includes('--no-build');
const nothingToDo = installed() && (!wantsBuild || textOf(BUILD_STAMP) === sourcesHash());
if (!nothingToDo) {
  guarded(() => {
    if (!installed()) install();
    if (wantsBuild) build();
  });
}
