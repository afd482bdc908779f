// The real server as a child process, with a data directory of its own, which can be killed and started again.
//
// MALLARD_BIN names the binary. Without it, the tests that need it are skipped and say so.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = process.env.MALLARD_BIN;

export const noServer = BINARY ? undefined : 'MALLARD_BIN does not name a built mallard-metrics';

/** An install: a data directory, and a server that runs on it or does not. */
export class Install {
  #child = null;
  #port = 0;
  #log = [];

  /** With further environment variables, if given. */
  static async create(variables = {}) {
    const install = new Install();
    install.variables = variables;
    install.dataDir = await mkdtemp(join(tmpdir(), 'mallard-browser-test-'));
    await install.start();
    return install;
  }

  get url() {
    return `http://localhost:${this.#port}`;
  }

  /** Starts the server; after the first time, on the same port. Settles when it listens. */
  async start() {
    const child = spawn(BINARY, ['serve'], {
      env: {
        PATH: process.env.PATH,
        MALLARD_HOST: '127.0.0.1',
        MALLARD_PORT: String(this.#port),
        MALLARD_DATA_DIR: this.dataDir,
        MALLARD_LOG_FORMAT: 'json',
        ...this.variables,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#port = await new Promise((resolve, reject) => {
      const read = (line) => {
        this.#log.push(line);
        const port = portOf(line);
        if (port) resolve(port);
      };
      createInterface(child.stdout).on('line', read);
      createInterface(child.stderr).on('line', read);
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(new Error(`The server ended with ${code}:\n${this.#log.join('\n')}`)),
      );
    });
  }

  /** Sends a signal, and settles when the process is gone. */
  async stop(signal) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async remove() {
    await this.stop('SIGKILL');
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** The port in the log line `Listening`. */
function portOf(line) {
  try {
    const { fields } = JSON.parse(line);
    return fields?.message === 'Listening' ? Number(String(fields.addr).split(':').at(-1)) : null;
  } catch {
    return null; // Not a log line.
  }
}
