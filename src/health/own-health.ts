import type { ProcessHealth, ProcessState } from '../common/siblings.js';
import type { QueueRepository } from '../queue/queue.repository.js';
import type { Admission } from '../relay/admission.js';
import type { Connections } from '../relay/connections.js';

const STORE_ANSWERS_WITHIN_MS = 500;

/** How this process is. */
export class OwnHealth {
  constructor(
    private readonly queue: Pick<QueueRepository, 'reach'>,
    private readonly connections: Pick<Connections, 'size'>,
    private readonly admission: Pick<Admission, 'isDraining'>,
  ) {}

  state(): ProcessState {
    return { connections: this.connections.size, isDraining: this.admission.isDraining };
  }

  async read(): Promise<ProcessHealth> {
    const store = await this.askStore();
    return { ...this.state(), store };
  }

  private async askStore(): Promise<ProcessHealth['store']> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'no answer in time'>((resolve) => {
      timer = setTimeout(() => resolve('no answer in time'), STORE_ANSWERS_WITHIN_MS);
    });
    try {
      return await Promise.race([this.queue.reach().then(() => 'up' as const), late]);
    } catch {
      return 'unavailable';
    } finally {
      clearTimeout(timer);
    }
  }
}
