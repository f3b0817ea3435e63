// SPDX-License-Identifier: MIT

declare const usher: usher.Usher;

declare namespace usher {
  /** Who this worker is on the bus. */
  interface Identity {
    pool: string;
    slot: number;
    /** Never used twice while the master lives. */
    worker: number;
    generation: number;
    /** The name under which pools share. */
    group: string;
    /** What others see: "web/2". */
    name: string;
  }

  interface Message<Data = any> {
    /** Undefined if it was sent without one. */
    topic?: string;
    data: Data;
    /** "web/2"; "usher" for the master and the command line. */
    from: string;
  }

  interface Request<Data = any> extends Message<Data> {
    topic: string;
    /** Milliseconds for which the answer is waited for. */
    timeout: number;
  }

  interface Reply<Data = any> {
    from: string;
    data?: Data;
    /** Why there is no data. */
    error?: string;
  }

  interface Replies<Data = any> {
    replies: Reply<Data>[];
    /** Who was asked and has not answered. */
    missing: string[];
  }

  /** A key as it is now. */
  interface Change<Value = any> {
    key: string;
    /** Undefined if it is erased. */
    value: Value | undefined;
    revision: number;
    erased: boolean;
    /** Erased because its time was over. */
    expired: boolean;
  }

  /** What subscribe() and watch() return; without a handler it is iterated over. */
  interface Inbox<Item> extends AsyncIterable<Item> {
    /** Fulfilled once usher knows of it. */
    readonly ready: Promise<void>;
    close(): void;
  }

  /** The code is the protocol's, or "closed" or "timeout". */
  interface BusError extends Error {
    readonly code: string;
    /** With "conflict": what the key has. */
    readonly revision?: number;
  }

  interface Whom {
    pool?: string;
    slot?: number;
  }

  /** Times are in milliseconds. */
  interface Store {
    /** The value, which is frozen; undefined if there is none. */
    get<Value = any>(key: string): Value | undefined;
    has(key: string): boolean;
    /** The revision that wrote the key; 0 if it is not there. */
    revision(key: string): number;
    keys(prefix?: string): string[];
    /** Fulfilled with the new revision; rejected by "conflict" unless the key has that `expected`. */
    put(key: string, value: unknown, options?: { ttl?: number; expected?: number }): Promise<number>;
    /** Fulfilled with the new value. */
    update<Value = any>(key: string, change: (value: Value | undefined) => Value | Promise<Value>,
      options?: { ttl?: number }): Promise<Value>;
    erase(key: string, options?: { expected?: number }): Promise<void>;
    /** Fulfilled with the sum; `ttl` counts only where there was none before. */
    increment(key: string, options?: { by?: number; ttl?: number }): Promise<number>;
    /** The keys that begin with `prefix`, first as they are and then when they change. */
    watch<Value = any>(prefix: string, handler: (change: Change<Value>) => unknown): Inbox<Change<Value>>;
    watch<Value = any>(prefix?: string): Inbox<Change<Value>>;
  }

  interface Events {
    /** Who listens would be the leader.  The next one is named when what this returns is fulfilled. */
    leader: [isLeader: boolean];
    /** Sent to this worker, and matched by no pattern of its. */
    message: [message: Message];
    /** So many messages came too fast for this program. */
    lost: [count: number];
    /** The master is gone. */
    close: [];
  }

  interface Bus {
    readonly isLeader: boolean;
    readonly isClosed: boolean;
    readonly lost: number;
    identity(): Promise<Identity>;
    publish(topic: string, data: unknown, options: { wait: true }): Promise<number>;
    publish(topic: string, data?: unknown, options?: { wait?: false }): void;
    send(topic: string | null, data: unknown, options: Whom & { wait: true }): Promise<number>;
    send(topic: string | null, data?: unknown, options?: Whom & { wait?: false }): void;
    request<Data = any>(topic: string, data?: unknown,
      options?: Whom & { timeout?: number; max?: number }): Promise<Replies<Data>>;
    subscribe<Data = any>(pattern: string, handler: (message: Message<Data>) => unknown): Inbox<Message<Data>>;
    subscribe<Data = any>(pattern: string): Inbox<Message<Data>>;
    respond<Data = any>(pattern: string, handler: (request: Request<Data>) => unknown):
      { readonly ready: Promise<void>; close(): void };
    campaign(): void;
    resign(): void;
    store(): Promise<Store>;
    /** Keeps the program alive, until unref(). */
    ref(): void;
    unref(): void;
    on<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => unknown): this;
    once<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => unknown): this;
    off<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => unknown): this;
  }

  /** What require('usher') gives, and the default import.  By their names alone `bus`, `BusError`, `store`,
   * `on`, `once` and `off` can be imported: of a value that changes one would have what it was. */
  interface Usher {
    readonly bus: Bus;
    readonly BusError: new (code: string, reason?: string, revision?: number) => BusError;
    readonly isLeader: boolean;
    store(): Promise<Store>;
    on<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => unknown): Bus;
    once<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => unknown): Bus;
    off<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => unknown): Bus;
  }
}

export = usher;
