import { WebSocket } from 'ws';
import { type ClientOptions, RelayClient } from '../../client.js';
import type { SocketConstructor } from '../../environment.js';
import type { ClientEvents } from '../../events.js';
import type { IncomingMessage } from '../../inbox.js';

const PATIENCE_MS = 10_000;

/** Somebody with the client, who remembers what it told. */
export class Person {
  readonly messages: IncomingMessage[] = [];
  private readonly watchers = new Set<() => void>();

  private constructor(readonly client: RelayClient) {}

  /** Not started. Takes every message unless the options say otherwise. */
  static async open(options: Omit<ClientOptions, 'onMessage'> & Partial<Pick<ClientOptions, 'onMessage'>>) {
    const { onMessage, ...rest } = options;
    const environment = { WebSocket: WebSocket as unknown as SocketConstructor, ...options.environment };
    const take: ClientOptions['onMessage'] = async (message, transaction) => {
      await onMessage?.(message, transaction);
      person.messages.push(message);
      person.notify();
    };
    const person: Person = new Person(await RelayClient.open({ ...rest, onMessage: take, environment }));
    person.client.on('state', () => person.notify());
    return person;
  }

  static async connect(options: Parameters<typeof Person.open>[0]): Promise<Person> {
    const person = await Person.open(options);
    person.client.start();
    await person.client.signedIn();
    return person;
  }

  get contents(): string[] {
    return this.messages.map(({ content }) => content);
  }

  has(count: number): Promise<void> {
    return this.until(() => this.messages.length >= count, `${count} messages`);
  }

  is(state: RelayClient['state']): Promise<void> {
    return this.until(() => this.client.state === state, state);
  }

  next<Name extends keyof ClientEvents>(name: Name): Promise<ClientEvents[Name]> {
    return within(
      new Promise((resolve) => {
        const off = this.client.on(name, (event) => {
          off();
          resolve(event);
        });
      }),
      name,
    );
  }

  until(holds: () => boolean, what: string): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.watchers.delete(look);
        resolve();
      };
      this.watchers.add(look);
      look();
    });
    return within(seen, what);
  }

  private notify(): void {
    for (const look of this.watchers) look();
  }
}

export async function within<Result>(promise: Promise<Result>, what: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not happen: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
