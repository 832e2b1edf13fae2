import type { Address } from '@relay/protocol';
import type { AuthService } from '../auth/auth.service.js';
import type { Session, SessionRepository } from '../auth/session.repository.js';
import type { DeviceId, MailboxDevice, QueueRepository } from '../queue/queue.repository.js';
import type { QueueService } from '../queue/queue.service.js';
import type { DeviceConnections } from './device-connections.js';

/** Somebody with the key may sign in again and again: that can be stopped by nobody. */
const MAX_ROUNDS = 5;

/** A device as its owner sees it: a place in the mailbox, a session, or both. */
export interface OwnDevice {
  readonly device: DeviceId;
  readonly isOnline: boolean;
  readonly mailbox: MailboxDevice | null;
  readonly session: Session | null;
}

export class DevicesService {
  constructor(
    private readonly auth: AuthService,
    private readonly sessions: SessionRepository,
    private readonly queue: QueueRepository,
    private readonly queueService: QueueService,
    private readonly connections: DeviceConnections,
  ) {}

  /** By name. */
  async list(address: Address): Promise<readonly OwnDevice[]> {
    const [places, sessions, online] = await Promise.all([
      this.queue.devices(address),
      this.sessions.list(address),
      this.connections.online(address),
    ]);
    const mailbox = new Map(places.map((place) => [place.device, place]));
    const session = new Map(sessions.map((one) => [one.device, one]));
    const names = [...new Set([...mailbox.keys(), ...session.keys(), ...online])].sort();
    return names.map((device) => ({
      device,
      isOnline: online.has(device),
      mailbox: mailbox.get(device) ?? null,
      session: session.get(device) ?? null,
    }));
  }

  /**
   * Signs out every device that signed in, and ends what all of them have open; their places in the mailbox stay.
   * One that signs in meanwhile is found by the next round: it goes on until nobody is signed in.
   */
  async endSessions(address: Address): Promise<{ readonly sessions: number; readonly devices: number }> {
    let sessions = 0;
    const online = new Set<DeviceId>();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const devices = await this.list(address);
      const signedIn = devices.filter(({ session }) => session !== null);
      const ended = await Promise.all(signedIn.map(({ device }) => this.auth.revoke(address, device)));
      sessions += ended.filter(Boolean).length;
      for (const { device, isOnline } of devices) {
        this.connections.end(address, device);
        if (isOnline) online.add(device);
      }
      if (signedIn.length === 0) break;
    }
    return { sessions, devices: online.size };
  }

  /**
   * Signs the device out, ends what it has open, and lets it hold no mail back. False where there is no such device.
   *
   * While it signs in, one of two things comes of it: it is out, or it came in afterwards, with session and place. So this
   * goes on until it finds neither in turn; and whoever comes in looks for the session once the place is there (`Relay.join`).
   */
  async end(address: Address, device: DeviceId): Promise<boolean> {
    let existed = false;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      // First, so that it does not come back.
      const hadSession = await this.auth.revoke(address, device);
      this.connections.end(address, device);
      const hadPlace = await this.queueService.retire(address, device);
      if (!hadSession && !hadPlace) break;
      existed = true;
    }
    return existed;
  }
}
