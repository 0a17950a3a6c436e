/**
 * Counts the clients being served, over both front doors, against `MAX_CONNECTIONS`.
 */
export class Admission {
  /** Most clients at a time. */
  readonly clientsMax: number;

  /** Clients being served now: HTTP requests that wait, RESP connections. */
  clients = 0;

  constructor(clientsMax: number) {
    this.clientsMax = clientsMax;
  }

  /** True when the next client must be turned away. */
  get isFull(): boolean {
    return this.clients >= this.clientsMax;
  }
}
