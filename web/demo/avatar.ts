import type { Address } from '@relay/client';

const HUES = 360;

export function shortAddress(address: Address): string {
  return `${address.slice(0, 6)}…${address.slice(-4)}`;
}

/** Two colours of the address, so that two windows are told apart at a glance. */
export function paint(avatar: HTMLElement, address: Address): void {
  const [first, second] = [parseInt(address.slice(2, 6), 16) % HUES, parseInt(address.slice(6, 10), 16) % HUES];
  avatar.style.setProperty('--first', String(first));
  avatar.style.setProperty('--second', String(second));
}
