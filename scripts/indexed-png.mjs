// A screenshot with 256 colours: a third of the bytes, where it is a drawing and not a photograph.
import { crc32, deflateSync } from 'node:zlib';

const COLORS = 256;
/** In a browser: the size of an image, and its pixels as base64 of red, green, blue and alpha. */
const DECODE = `async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const { width, height } = image;
  const context = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
  context.drawImage(image, 0, 0);
  const row = (y) => String.fromCharCode(...context.getImageData(0, y, width, 1).data);
  return { width, height, pixels: btoa(Array.from({ length: height }, (_, y) => row(y)).join('')) };
}`;

/** @param {import('playwright-core').Page} page any, to decode in @param {Buffer} png */
export async function indexedPng(page, png) {
  const source = `data:image/png;base64,${png.toString('base64')}`;
  /** @type {{ width: number, height: number, pixels: string }} */
  const { width, height, pixels } = await page.evaluate(`(${DECODE})('${source}')`);
  const rgba = Buffer.from(pixels, 'base64');
  const palette = paletteOf(rgba);
  const rows = Buffer.alloc((width + 1) * height);
  /** @type {Map<number, number>} */
  const known = new Map();
  for (let i = 0; i < width * height; i++) {
    const color = rgba.readUIntBE(i * 4, 3);
    const index = known.get(color) ?? nearest(palette, color);
    known.set(color, index);
    // Each row begins with how it is filtered: not at all.
    rows[i + 1 + Math.floor(i / width)] = index;
  }
  return encoded({ width, height }, palette, rows);
}

/** The most frequent of each shade, of the most frequent shades. @param {Buffer} rgba */
function paletteOf(rgba) {
  /** @type {Map<number, Map<number, number>>} */
  const shades = new Map();
  for (let i = 0; i < rgba.length; i += 4) {
    const color = rgba.readUIntBE(i, 3);
    const shade = color & 0xf0f0f0;
    /** @type {Map<number, number>} */
    const counts = shades.get(shade) ?? new Map();
    counts.set(color, (counts.get(color) ?? 0) + 1);
    shades.set(shade, counts);
  }
  const total = (/** @type {Map<number, number>} */ counts) => [...counts.values()].reduce((sum, count) => sum + count);
  return [...shades.values()]
    .sort((a, b) => total(b) - total(a))
    .slice(0, COLORS)
    .map((counts) => [...counts].reduce((most, one) => (one[1] > most[1] ? one : most))[0]);
}

/** @param {readonly number[]} palette @param {number} color */
function nearest(palette, color) {
  const distances = palette.map((one) =>
    [16, 8, 0].reduce((sum, shift) => sum + (((one >> shift) & 255) - ((color >> shift) & 255)) ** 2, 0),
  );
  return distances.indexOf(Math.min(...distances));
}

/** @param {{ width: number, height: number }} size @param {readonly number[]} palette @param {Buffer} rows */
function encoded({ width, height }, palette, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits a pixel, which are an index.
  header.set([8, 3], 8);
  const colors = Buffer.alloc(palette.length * 3);
  for (const [i, color] of palette.entries()) colors.writeUIntBE(color, i * 3, 3);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(rows, { level: 9 });
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('PLTE', colors),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** @param {string} type @param {Buffer} data */
function chunk(type, data) {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(data.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}
