import { Command, CommanderError } from 'commander';
import { CommandError, EXIT } from './exit-codes.js';
import type { RestoreFlags } from './backup.redis.js';
import type { HealthFlags } from './health.js';
import type { Terminal } from './terminal.js';

export interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly randomBytes: (size: number) => Buffer;
  /** Starts the relay; resolves once it listens. */
  readonly start: () => Promise<void>;
}

interface Json {
  readonly json?: boolean;
}

const AS_JSON = ['--json', 'for programs'] as const;

/** What it takes to run a command is loaded when it runs: `health` must be quick. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number | undefined> {
  let exitCode: number | undefined;
  const ends: Ends =
    (command) =>
    async (...given) => {
      exitCode = await command(...given);
    };
  try {
    await programOf(surroundings, ends).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return exitCodeOf(error, surroundings.terminal);
  }
}

type Ends = <Given extends unknown[]>(
  command: (...given: Given) => Promise<number | undefined>,
) => (...given: Given) => Promise<void>;

function programOf({ terminal, environment, randomBytes, start }: Surroundings, ends: Ends): Command {
  const program = new Command('relay')
    .description('A relay for end-to-end encrypted messages. Settings come from the environment, .env, and NAME_FILE.')
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 not in order or refused, 2 usage, 69 Redis or relay away, 70 an error inside,\n75 the drain did not end in time, 78 configuration.',
    );
  program
    .command('start')
    .description('run the relay')
    .action(ends(() => start().then(() => undefined)));
  program
    .command('health')
    .description('ask the relay of this machine whether it lives: 0 or 1')
    .option('--ready', 'whether it takes clients: Redis answers, and it is not stopping')
    .option('--url <url>', 'of another relay')
    .option('--timeout <ms>', 'how long to wait', '2000')
    .action(ends(async (flags: HealthFlags) => (await import('./health.js')).health(terminal, flags, environment)));
  program
    .command('doctor')
    .description('look at settings, Redis, clocks, limits, TLS and ports, and say what to do')
    .option(...AS_JSON)
    .action(ends(async (flags: Json) => (await import('./doctor.redis.js')).doctor(terminal, flags)));
  program
    .command('config')
    .description('show the settings in effect and where each is from; secrets stay hidden')
    .option(...AS_JSON)
    .action(ends(async (flags: Json) => (await import('./config.js')).config(terminal, flags)));
  program
    .command('token')
    .description('make an ADMIN_TOKEN')
    .action(ends(async () => (await import('./token.js')).token(terminal, randomBytes)));
  addStoreCommands(program, terminal, ends);
  addForwarded(program, ends);
  program
    .command('completion')
    .description('print completion for a shell')
    .argument('<shell>', 'bash, zsh or fish')
    .action(
      ends(async (shell: string) => {
        terminal.out((await import('./completion.js')).completion(program, shell));
        return EXIT.ok;
      }),
    );
  return program;
}

function addStoreCommands(program: Command, terminal: Terminal, ends: Ends): void {
  program
    .command('backup')
    .description('save everything in Redis to a file while relays run; .gz compresses')
    .argument('<file>', 'new file; what an interrupted backup left of it is completed')
    .option(...AS_JSON)
    .action(
      ends(async (file: string, flags: Json) => (await import('./backup.redis.js')).backup(terminal, file, flags)),
    );
  program
    .command('restore')
    .description('bring a backup into a Redis without data, while no relay runs')
    .argument('<file>', 'what backup wrote; checked whole before anything is written')
    .option(
      '--merge',
      'keep what is there and add what is missing, but no sessions of who signed in there; relays may run',
    )
    .option('--force', 'remove what is there first')
    .option(...AS_JSON)
    .action(
      ends(async (file: string, flags: RestoreFlags) =>
        (await import('./backup.redis.js')).restoreFile(terminal, file, flags),
      ),
    );
  program
    .command('verify')
    .description('compare all mailboxes with the ledger')
    .option(...AS_JSON)
    .action(ends(async (flags: Json) => (await import('./verify.redis.js')).verify(terminal, flags)));
  program
    .command('stats')
    .description('the ledger, the memory of Redis, and the connections of the relay of this machine')
    .option('--url <url>', 'of another relay')
    .option(...AS_JSON)
    .action(ends(async (flags: Json & { url?: string }) => (await import('./stats.redis.js')).stats(terminal, flags)));
}

/** Whatever follows is theirs. */
function addForwarded(program: Command, ends: Ends): void {
  for (const [name, text] of [
    ['drill', 'break nodes and Redis under load and judge what clients saw (in a checkout)'],
    ['bench', 'measure the relay (in a checkout)'],
  ] as const) {
    program
      .command(name)
      .description(text)
      .argument('[args...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(ends(async (args: string[]) => (await import('./forward.js')).forward(name, args)));
  }
}

/** sysexits.h, and 2 for a wrong command line. */
async function exitCodeOf(error: unknown, terminal: Terminal): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CommandError) {
    terminal.err(`${error.message}\n`);
    return error.exitCode;
  }
  const { SettingsError } = await import('../common/load-settings.js');
  if (error instanceof SettingsError) {
    terminal.err(`${error.message}\n`);
    return EXIT.configuration;
  }
  const { StartError } = await import('../common/start-error.js');
  if (error instanceof StartError) {
    terminal.err(`Cannot go on:\n${error.reasons.map((reason) => `  - ${reason}\n`).join('')}`);
    return error.exitCode;
  }
  const { RelayError } = await import('@relay/protocol');
  if (error instanceof RelayError) {
    terminal.err(`Cannot go on:\n  - ${error.message}\n`);
    return EXIT.unavailable;
  }
  terminal.err(`An error inside: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.software;
}
