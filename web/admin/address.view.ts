import { element } from '../dom.js';
import { count, counted, duration } from './format.js';
import { waitingText } from './mailboxes.view.js';
import type { AddressView, Device } from './views.js';

export interface AddressActions {
  readonly revoke: (address: string) => void;
  readonly endDevice: (address: string, deviceId: string) => void;
  readonly ban: (address: string) => void;
  readonly unban: (address: string) => void;
}

/** @param at now, by the clock of the store */
export function addressView(view: AddressView, at: number, actions: AddressActions): HTMLElement[] {
  const { address, ban, key, devices } = view;
  const dated = (time: number): string => `${duration(at - time)} ago`;
  return [
    element('p', { class: 'whole' }, element('code', {}, address)),
    ...(ban === null
      ? []
      : [element('p', { class: 'bad' }, `Banned ${dated(ban.at)}${ban.note === '' ? '' : `: ${ban.note}`}`)]),
    element(
      'dl',
      { class: 'wide' },
      ...fact('Waiting', waitingText(view.waiting, at)),
      ...fact(
        'Proof',
        view.hasSignedIn
          ? 'has signed in: nobody acts for it without proof'
          : 'never signed in: nobody has proved to own it',
      ),
      ...fact('Blocks', `${counted(view.blocks, 'address', 'addresses')}, allows ${count(view.allows)}`),
      ...fact('Public key', key === null ? 'none' : keyText(key.version, dated(key.updatedAt))),
    ),
    element('h3', {}, `Devices (${devices.length})`),
    ...(devices.length === 0 ? [element('p', { class: 'hint' }, 'None.')] : [deviceList(view, dated, actions)]),
    element(
      'div',
      { class: 'row' },
      button('Revoke all sessions', 'danger', `revoke ${address}`, () => actions.revoke(address)),
      ban === null
        ? button('Ban', 'danger', `ban ${address}`, () => actions.ban(address))
        : button('Lift the ban', 'primary', `unban ${address}`, () => actions.unban(address)),
    ),
  ];
}

function keyText(version: number | null, when: string): string {
  return version === null ? `unsigned, uploaded ${when}` : `signed, version ${version}, uploaded ${when}`;
}

function deviceList({ address, devices }: AddressView, dated: (time: number) => string, actions: AddressActions) {
  return element('ul', { class: 'devices' }, ...devices.map((device) => deviceRow(address, device, dated, actions)));
}

function deviceRow(address: string, device: Device, dated: (time: number) => string, actions: AddressActions) {
  const { deviceId, online, lastUsedAt, pending, session } = device;
  const facts = [
    online ? 'connected' : lastUsedAt === null ? 'never connected' : `last here ${dated(lastUsedAt)}`,
    ...(pending === null ? [] : [`${count(pending)} behind (messages and receipts)`]),
    session === null ? 'no session' : `signed in ${dated(session.createdAt)}`,
  ];
  return element(
    'li',
    { 'data-device': deviceId },
    element('span', { class: online ? 'lamp is-on' : 'lamp', 'aria-hidden': 'true' }),
    element('div', {}, element('code', {}, deviceId), element('p', { class: 'hint' }, facts.join(', '))),
    button('End', 'quiet', `end ${deviceId}`, () => actions.endDevice(address, deviceId)),
  );
}

function fact(name: string, value: string): HTMLElement[] {
  return [element('dt', {}, name), element('dd', {}, value)];
}

export function button(text: string, kind: string, key: string, act: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button', class: kind, 'data-key': key }, text);
  made.addEventListener('click', act);
  return made;
}
