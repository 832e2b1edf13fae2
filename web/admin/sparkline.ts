const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 120;
const HEIGHT = 32;

function shape(tag: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/**
 * What was, as a line over its area. The newest value is at the right edge, and a series that is not full yet does not
 * reach the left one.
 *
 * @param label for who cannot see it
 * @param length of a full series
 */
export function sparkline(values: readonly number[], label: string, length = 60): SVGElement {
  const svg = shape('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    class: 'spark',
    role: 'img',
    'aria-label': label,
  });
  if (values.length < 2) return svg;
  const top = Math.max(1, ...values);
  const step = WIDTH / (length - 1);
  const left = WIDTH - step * (values.length - 1);
  const points = values.map((value, i) => {
    const x = left + i * step;
    const y = HEIGHT - 2 - (value / top) * (HEIGHT - 5);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const line = `M${points.join('L')}`;
  svg.append(
    shape('path', { class: 'area', d: `${line}L${WIDTH} ${HEIGHT}L${left.toFixed(1)} ${HEIGHT}Z` }),
    shape('path', { class: 'line', d: line, 'vector-effect': 'non-scaling-stroke' }),
  );
  return svg;
}

/** Parts of a whole, side by side; 0 to 1 each, with a class for its colour. */
export function bar(parts: readonly { readonly part: number; readonly kind: string }[], label: string): SVGElement {
  const svg = shape('svg', {
    viewBox: '0 0 100 6',
    preserveAspectRatio: 'none',
    class: 'share',
    role: 'img',
    'aria-label': label,
  });
  svg.append(shape('rect', { class: 'ground', width: '100', height: '6' }));
  let x = 0;
  for (const { part, kind } of parts) {
    const width = Math.min(100 - x, Math.max(0, part) * 100);
    svg.append(shape('rect', { class: kind, x: x.toFixed(2), width: width.toFixed(2), height: '6' }));
    x += width;
  }
  return svg;
}
