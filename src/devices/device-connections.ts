import type { Address } from '@relay/protocol';
import { randomBytes } from 'node:crypto';
import type { Backplane } from '../backplane/backplane.js';
import type { DeviceId } from '../queue/queue.repository.js';
import type { Rooms } from '../relay/room.js';

/** Nodes answer within a turn or two; one that does not is away. */
const ANSWERS_WITHIN_MS = 500;

interface Question {
  readonly devices: Set<DeviceId>;
  /** How many nodes are still to answer; unknown until the question was sent. */
  missing: number;
  answered(): void;
}

export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

/** The live connections of an address's devices, on whichever node. What other nodes say is a hint, and may be missing. */
export class DeviceConnections {
  private readonly questions = new Map<string, Question>();

  constructor(
    private readonly rooms: Rooms,
    private readonly backplane: Backplane,
    private readonly pause: Pause,
  ) {
    backplane.listen('q', (address, name) => this.answer(address, name));
    backplane.listen('w', (_, payload) => this.heard(payload));
    backplane.listen('x', (address, device) => this.endHere(address, device));
  }

  /** Which of them are connected. */
  async online(address: Address): Promise<ReadonlySet<DeviceId>> {
    const devices = new Set(this.here(address));
    try {
      // Answers come back on the topic of the address.
      await this.backplane.join('mailbox', address);
      await this.ask(address, devices);
    } catch {
      // The store is away: what is known here has to do.
    } finally {
      this.backplane.leave('mailbox', address);
    }
    return devices;
  }

  /** Closes what that device has open without a session, everywhere; the rest ends with its session. */
  end(address: Address, device: DeviceId): void {
    this.endHere(address, device);
    this.backplane.send('mailbox', address, 'x', device).catch(() => undefined);
  }

  private async ask(address: Address, devices: Set<DeviceId>): Promise<void> {
    const name = randomBytes(9).toString('base64url');
    const allAnswered = new AbortController();
    const question: Question = { devices, missing: 0, answered: () => allAnswered.abort() };
    this.questions.set(name, question);
    try {
      question.missing += await this.backplane.send('mailbox', address, 'q', name);
      if (question.missing > 0) await this.pause(ANSWERS_WITHIN_MS, allAnswered.signal).catch(() => undefined);
    } finally {
      this.questions.delete(name);
    }
  }

  private answer(address: Address, name: string): void {
    const payload = [name, ...this.here(address)].join(' ');
    this.backplane.send('mailbox', address, 'w', payload).catch(() => undefined);
  }

  private heard(payload: string): void {
    const [name = '', ...devices] = payload.split(' ');
    const question = this.questions.get(name);
    if (question === undefined) return;
    for (const device of devices) question.devices.add(device);
    // An answer may overtake the number of those who were asked.
    if (--question.missing === 0) question.answered();
  }

  private here(address: Address): DeviceId[] {
    const open = this.rooms.get(address)?.connections.filter(({ isOpen }) => isOpen) ?? [];
    return [...new Set(open.map(({ device }) => device))];
  }

  private endHere(address: Address, device: DeviceId): void {
    for (const connection of [...(this.rooms.get(address)?.connections ?? [])]) {
      if (connection.device === device && connection.session === null) connection.close(4440);
    }
  }
}
