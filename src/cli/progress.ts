import type { Terminal } from './terminal.js';

export interface ProgressState {
  /** 0 to 1. */
  readonly part: number;
  readonly messages: number;
  readonly units: number;
  readonly phase?: string;
}

const DRAW_EVERY_MS = 200;
const TELL_EVERY_MS = 5000;

/** One line that is drawn over on a terminal; with `--json` an object every few seconds; else nothing. All on stderr. */
export class Progress {
  private readonly startedMs: number;
  private drawnMs: number;
  private phase: string | undefined;
  private phaseMs: number;
  private isDrawn = false;

  constructor(
    private readonly terminal: Terminal,
    private readonly isJson: boolean,
    private readonly nowMs: () => number,
  ) {
    this.startedMs = nowMs();
    this.phaseMs = this.startedMs;
    this.drawnMs = this.startedMs;
  }

  get seconds(): number {
    return (this.nowMs() - this.startedMs) / 1000;
  }

  update(state: ProgressState): void {
    const now = this.nowMs();
    if (state.phase !== this.phase) {
      this.phase = state.phase;
      this.phaseMs = now;
    }
    const every = this.isJson ? TELL_EVERY_MS : DRAW_EVERY_MS;
    if ((!this.isJson && !this.terminal.isWatched) || now - this.drawnMs < every) return;
    this.drawnMs = now;
    const seconds = (now - this.phaseMs) / 1000;
    const left = state.part > 0 ? seconds / state.part - seconds : null;
    const rate = seconds > 0 ? Math.round(state.messages / seconds) : 0;
    if (this.isJson)
      return this.terminal.err(`${JSON.stringify({ ...state, messagesPerSecond: rate, secondsLeft: left })}\n`);
    this.isDrawn = true;
    const percent = String(Math.floor(state.part * 100)).padStart(3);
    const counts = state.phase === 'check' ? '' : ` · ${state.messages} messages, ${rate}/s`;
    this.terminal.err(
      `\r\u001b[K${percent} %${state.phase === undefined ? '' : ` ${state.phase}`}${counts}${left === null ? '' : ` · ${duration(left)} left`}`,
    );
  }

  /** Leaves the line, so that what follows begins a new one. */
  end(): void {
    if (this.isDrawn) this.terminal.err('\r\u001b[K');
  }
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
