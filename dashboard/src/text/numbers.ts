// Numbers as people read them, in the language of the browser.

const whole = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const oneDigit = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const percentWhole = new Intl.NumberFormat(undefined, { style: 'percent' });
const percentOneDigit = new Intl.NumberFormat(undefined, {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** Where there is no number. */
export const NONE = '–';

const COMPACT_FROM = 100_000;

/** Every digit: `1,234,567`. */
export const exact = (n: number) => whole.format(n);

/** Every digit while they are few, `1.2M` from then on. */
export const short = (n: number) => (n < COMPACT_FROM ? whole : compact).format(n);

/** For an axis, where even thousands are long: `1.2K`. */
export const shortest = (n: number) => compact.format(n);

export const decimal = (n: number) => oneDigit.format(n);

/** A rate from 0 to 1: `41%`, below ten percent `4.1%`; nothing at all is `0%`. */
export const percent = (rate: number) =>
  (rate > 0 && rate < 0.0995 ? percentOneDigit : percentWhole).format(rate);

/** `45s`, `2m 05s`, `1h 02m`; a dash for a duration that nobody can know. */
export function duration(seconds: number | null): string {
  if (seconds === null) return NONE;
  const total = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  if (total < 60) return `${total}s`;
  if (total < 3600) return `${Math.floor(total / 60)}m ${two(total % 60)}s`;
  return `${Math.floor(total / 3600)}h ${two(Math.floor((total % 3600) / 60))}m`;
}

/** An exact sum of money: `1,234.5 EUR`. The text is not read as a float, which could not hold it. */
export function money({ currency, amount }: { currency: string | null; amount: string }): string {
  const [whole = '0', decimals = ''] = amount.split('.');
  const sign = whole.startsWith('-') ? '-' : '';
  const cents = decimals.replace(/0{1,2}$/, '');
  return `${sign}${exactBig(whole.replace('-', ''))}${cents && `.${cents}`} ${currency ?? ''}`.trim();
}

const exactBig = (digits: string) => whole.format(BigInt(digits));
