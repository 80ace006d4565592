/** The members of a cluster, with a client for each; one of them is in use. */
import { DiscoveryError } from '../../core/discovery-error.js';

interface Place<Client> {
  readonly url: string;
  client: Client;
}

/**
 * A ring of members: after a failure the next one is used. A member keeps its client as long as its URL is in
 * the ring.
 */
export class MemberRing<Client extends { close(): void }> {
  private places: readonly Place<Client>[];
  private current: number;

  /**
   * @param urls the members
   * @param create makes the client of a member
   * @param start which member is used first, as a share of the ring, 0 to 1 (exclusive). With random shares,
   *   processes that start together, or get new members together, spread over the ring
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

  /** Switches to the next member, unless another request has switched already. */
  leave(member: Client): void {
    if (this.places[this.current]?.client === member) {
      this.current = (this.current + 1) % this.places.length;
    }
  }

  /** Replaces the client of a member, and so all connections to it. */
  renew(member: Client): void {
    const place = this.places.find(({ client }) => client === member);
    if (place === undefined) return;
    member.close();
    place.client = this.create(place.url);
  }

  /** Replaces the members. The member in use stays in use if it is among the new ones. */
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
