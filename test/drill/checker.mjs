// @ts-check
import { Acknowledgements } from './acknowledgements.mjs';
import { HistoryIndex } from './history-index.mjs';
import { nothingAcknowledgedComesBack, receiptsArrive } from './rules-acks.mjs';
import {
  answersAgree,
  errorsAreExpected,
  everySendIsAnswered,
  receiptsAreTrue,
  receiptsOnlyMoveOn,
} from './rules-answers.mjs';
import { nothingIsDoubled, nothingIsInvented, nothingIsLost, refusedStaysAway } from './rules-mail.mjs';
import { devicesAgree, sendersOrderHolds } from './rules-order.mjs';
import { layoutsAgree, restartsGoUnnoticed } from './rules-upgrade.mjs';
import { oneSessionPerDevice, processesBehave, storeIsClean } from './rules-world.mjs';

/**
 * @typedef {{ rule: string, text: string }} Violation
 *
 * @typedef {{ address: string, from: number, to: number }} Excuse  a receipt may be missing where sender or recipient is this address, and the message was acknowledged or read in this time
 *
 * @typedef {object} Declarations
 * @property {number} verdictWithinMs
 * @property {readonly Excuse[]} excuses
 * @property {readonly string[]} emptyAddresses  whose queue must have been seen empty
 * @property {number | null} sendP99Ms  what a rolling restart may cost a send; then no connection may be cut either
 */

/** @type {Declarations} */
export const NOTHING_DECLARED = { verdictWithinMs: 10_000, excuses: [], emptyAddresses: [], sendP99Ms: null };

const RULES = [
  nothingIsLost,
  nothingIsInvented,
  nothingIsDoubled,
  refusedStaysAway,
  devicesAgree,
  sendersOrderHolds,
  everySendIsAnswered,
  errorsAreExpected,
  answersAgree,
  receiptsAreTrue,
  receiptsOnlyMoveOn,
  nothingAcknowledgedComesBack,
  receiptsArrive,
  oneSessionPerDevice,
  processesBehave,
  storeIsClean,
  restartsGoUnnoticed,
  layoutsAgree,
];

/**
 * Judges a finished run. A pure function: what it finds depends on its arguments alone.
 * @type {(history: readonly import('./history.mjs').Event[], declarations?: Partial<Declarations>) => Violation[]}
 */
export function check(history, declarations = {}) {
  const index = new HistoryIndex(history);
  const acknowledgements = new Acknowledgements(index);
  const declared = { ...NOTHING_DECLARED, ...declarations };
  return RULES.flatMap((rule) => [...rule(index, declared, acknowledgements)]);
}
