/**
 * Names the registry of the lists in a snapshot file, as one text, and describes how two such texts differ.
 */
import { printableBeginning } from '../../core/printable-text.js';
import { describeMemberUrls } from '../../etcd/connection/member-url.js';

/** The parts of an origin. `hosts` and `namespace` are empty for a registry that is not etcd. */
interface Origin {
  readonly scheme: string;
  readonly hosts: string;
  readonly namespace: string;
}

/**
 * The origin of the lists: the scheme of the registry; for etcd also its hosts, sorted, and its namespace.
 */
export function snapshotOrigin(
  scheme: string,
  etcd: { readonly hosts: readonly string[]; readonly namespace?: string } | undefined,
): string {
  return [scheme, etcd?.hosts.toSorted().join() ?? '', etcd?.namespace ?? ''].join(' ');
}

/**
 * Describes how the origin in a file differs from the wanted one: `of etcd.hosts ["http://a:2379"], not
 * ["http://b:2379"]`. Shows no user and password, whatever is in the file.
 */
export function describeOtherOrigin(found: string, wanted: string): string {
  const [there, here] = [parse(found), parse(wanted)];
  if (there.scheme !== here.scheme) {
    return `of a registry with the scheme ${quote(there.scheme)}, not ${quote(here.scheme)}`;
  }
  const parts: string[] = [];
  if (there.hosts !== here.hosts) {
    parts.push(`of etcd.hosts ${showHosts(there)}, not ${showHosts(here)}`);
  }
  if (there.namespace !== here.namespace) {
    // A password in the hosts may contain a space: `parse` then takes a part of it for the namespace.
    const namespace = found.includes('@') ? '"…"' : quote(there.namespace);
    parts.push(`of etcd.namespace ${namespace}, not ${quote(here.namespace)}`);
  }
  return parts.join(' and ');
}

function parse(origin: string): Origin {
  const [scheme = '', hosts = '', ...rest] = origin.split(' ');
  return { scheme, hosts, namespace: rest.join(' ') };
}

function showHosts({ hosts }: Origin): string {
  return hosts === '' ? 'that are not known' : describeMemberUrls(hosts.split(','));
}

function quote(text: string): string {
  return `"${printableBeginning(text, 60)}"`;
}
