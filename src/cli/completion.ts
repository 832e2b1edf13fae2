import type { Command } from 'commander';
import { CommandError, EXIT } from './exit-codes.js';

interface Described {
  readonly name: string;
  readonly text: string;
  readonly flags: readonly { readonly flag: string; readonly text: string }[];
  /** It takes a file. */
  readonly wantsFile: boolean;
}

const SHELLS: Readonly<Record<string, (commands: readonly Described[]) => string>> = { bash, zsh, fish };

/** From the commands themselves, so that it cannot fall behind them. */
export function completion(program: Command, shell: string): string {
  const write = SHELLS[shell];
  if (write === undefined)
    throw new CommandError(
      EXIT.usage,
      `no completion for ${shell}; there is one for ${Object.keys(SHELLS).join(', ')}`,
    );
  return write(program.commands.map(describe));
}

function describe(command: Command): Described {
  const flags = command.options.map(({ long, description }) => ({ flag: long ?? '', text: description }));
  return {
    name: command.name(),
    text: command.description(),
    flags,
    wantsFile: command.registeredArguments.some((argument) => argument.name() === 'file'),
  };
}

function bash(commands: readonly Described[]): string {
  const cases = commands.map(({ name, flags, wantsFile }) => {
    const words = name === 'completion' ? Object.keys(SHELLS).join(' ') : flags.map(({ flag }) => flag).join(' ');
    return `    ${name}) ${wantsFile ? `[[ $current == -* ]] || { COMPREPLY=($(compgen -f -- "$current")); return; }; ` : ''}words="${words}" ;;`;
  });
  return `# relay completion bash > /etc/bash_completion.d/relay
_relay() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(' ')}"
  else
    case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _relay relay
`;
}

function zsh(commands: readonly Described[]): string {
  const list = commands.map(({ name, text }) => `    '${name}:${quoted(text)}'`).join('\n');
  const cases = commands.map(({ name, flags, wantsFile }) => {
    const options = flags.map(({ flag, text }) => `'${flag}[${quoted(text)}]'`);
    if (wantsFile) options.push("'*:file:_files'");
    if (name === 'completion') options.push(`'1:shell:(${Object.keys(SHELLS).join(' ')})'`);
    return `    ${name}) _arguments ${options.join(' ')} ;;`;
  });
  return `#compdef relay
# relay completion zsh > "\${fpath[1]}/_relay"
_relay() {
  local -a commands
  commands=(
${list}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _relay ]; then _relay "$@"; else compdef _relay relay; fi
`;
}

function fish(commands: readonly Described[]): string {
  const lines = ['# relay completion fish > ~/.config/fish/completions/relay.fish', 'complete -c relay -f'];
  for (const { name, text, flags, wantsFile } of commands) {
    const only = `-n '__fish_seen_subcommand_from ${name}'`;
    lines.push(`complete -c relay -n __fish_use_subcommand -a ${name} -d '${quoted(text)}'`);
    for (const { flag, text: about } of flags)
      lines.push(`complete -c relay ${only} -l ${flag.slice(2)} -d '${quoted(about)}'`);
    if (wantsFile) lines.push(`complete -c relay ${only} -F`);
    if (name === 'completion') lines.push(`complete -c relay ${only} -a '${Object.keys(SHELLS).join(' ')}'`);
  }
  return `${lines.join('\n')}\n`;
}

/** Between single quotes, and within brackets of zsh. */
function quoted(text: string): string {
  return text.replaceAll("'", '’').replace(/[[\]:]/g, ' ');
}
