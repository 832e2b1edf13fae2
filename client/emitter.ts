type Listener<Event> = (event: Event) => void;

/** Who is told what: one typed event per name. What a listener throws stops neither the others nor the client. */
export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<Listener<never>>>();

  /** Returns what ends it. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.listeners.get(name) ?? []) {
      try {
        (listener as Listener<Events[Name]>)(event);
      } catch (error) {
        // As the platform treats what a listener of its own throws: seen by everybody who looks, fatal to nobody here.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
