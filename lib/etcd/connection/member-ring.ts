/** The members of a cluster with a client for each, and the one of them that is in use. */
import { DiscoveryError } from '../../core/discovery-error.js';

interface Place<Client> {
  readonly url: string;
  client: Client;
}

/** A ring of members. One that fails is left for the next; a member that is known under the same URL keeps its client. */
export class MemberRing<Client extends { close(): void }> {
  private places: readonly Place<Client>[];
  private current: number;

  /**
   * @param urls the members
   * @param create makes the client of a member
   * @param start which of them is in use first, as a share of them, 0 to 1 (exclusive): processes that start together spread, and so
   *   do those that all have to take new members
   */
  constructor(
    urls: readonly string[],
    private readonly create: (url: string) => Client,
    private readonly start: number,
  ) {
    this.places = urls.map((url) => ({ url, client: create(url) }));
    this.current = this.first();
  }

  get size(): number {
    return this.places.length;
  }

  get urls(): readonly string[] {
    return this.places.map(({ url }) => url);
  }

  /** The member in use. */
  get member(): Client {
    const place = this.places[this.current];
    if (place === undefined) throw new DiscoveryError('INVALID_OPTION', 'etcd.hosts is empty');
    return place.client;
  }

  /** Another member from now on, unless another request has left this one already. */
  leave(member: Client): void {
    if (this.places[this.current]?.client === member) {
      this.current = (this.current + 1) % this.places.length;
    }
  }

  /** A fresh client for a member, with nothing remembered of the old one's connections. */
  renew(member: Client): void {
    const place = this.places.find(({ client }) => client === member);
    if (place === undefined) return;
    member.close();
    place.client = this.create(place.url);
  }

  /** Other members from now on. The one in use stays so where it is among them. */
  replace(urls: readonly string[]): void {
    const before = this.places;
    const inUse = before[this.current]?.url;
    this.places = urls.map(
      (url) => before.find((place) => place.url === url) ?? { url, client: this.create(url) },
    );
    for (const place of before) if (!this.places.includes(place)) place.client.close();
    const kept = this.urls.indexOf(inUse ?? '');
    this.current = kept === -1 ? this.first() : kept;
  }

  /** Closes every client. */
  close(): void {
    for (const { client } of this.places) client.close();
  }

  private first(): number {
    return Math.floor(this.start * this.places.length);
  }
}
