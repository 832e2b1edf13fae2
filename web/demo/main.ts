import { newIdentity } from '@relay/client/identity';

const { address } = newIdentity();
document.querySelector('#state')!.textContent = address;
