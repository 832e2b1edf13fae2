/** What was asked for would cost something, or is done already. The message is for an operator, in one line. */
export class Refused extends Error {
  override readonly name = 'Refused';
}
